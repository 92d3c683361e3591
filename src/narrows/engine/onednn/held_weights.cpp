#include "narrows/engine/onednn/held_weights.h"

#include <string>

namespace narrows::onednn {

dnnl::memory HeldWeights::pack(executor::WeightStore* store, ByteSpan constants,
                               const dnnl::memory& plain, const dnnl::memory::desc& desc) {
  for (const Held& held : items_) {
    if (held.constants.data() == constants.data() && held.item->memory.get_desc() == desc)
      return held.item->memory;
  }
  const auto make = [&] {
    auto packed = std::make_shared<Packed>();
    const dnnl::engine engine = plain.get_engine();
    packed->memory = dnnl::memory(desc, engine);
    dnnl::stream stream(engine);
    dnnl::memory source = plain;
    dnnl::reorder(source, packed->memory).execute(stream, source, packed->memory);
    stream.wait();
    return std::shared_ptr<const Packed>(std::move(packed));
  };
  executor::WeightStore::Found<Packed> found;
  if (store == nullptr) {
    found.item = make();
  } else {
    // oneDNN's whole description of the form, bit by bit.
    std::string form = "onednn ";
    form.append(reinterpret_cast<const char*>(&desc.data), sizeof desc.data);
    found = store->find<Packed>(std::span(&constants, 1), std::move(form), make);
  }
  bytes_ += desc.get_size();
  if (found.shared) shared_bytes_ += desc.get_size();
  items_.push_back({constants, found.item});
  return found.item->memory;
}

}  // namespace narrows::onednn
