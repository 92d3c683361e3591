#include "narrows/train/tighten.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "narrows/base/file.h"
#include "narrows/data/scenes.h"
#include "narrows/graph/half_weights.h"
#include "narrows/graph/passes.h"
#include "narrows/graph/random_graph.h"
#include "narrows/train/symbol_agreement.h"
#include "narrows/zoo/zoo.h"

namespace narrows::test {
namespace {

Result<std::vector<Tensor>> run(const Graph& graph, const std::vector<Tensor>& inputs) {
  NARROWS_TRY(engine, makeEngine("reference"));
  NARROWS_TRY(program, engine->compile(graph, {}));
  const std::vector<TensorView> views(inputs.begin(), inputs.end());
  return runProgram(*program, views);
}

Graph smallYolo() {
  auto zoo = buildZooModel("zoo:mini-yolo@64,classes=8,width=0.25", 1);
  EXPECT_TRUE(zoo.ok());
  return std::move(zoo->graph);
}

TEST(Bottleneck, AReconstructionEngineStartsAsNothing) {
  const Graph graph = smallYolo();
  auto inserted = insertReconstruction(graph, "pool2", {2, 6}, 1);
  ASSERT_TRUE(inserted.ok()) << inserted.error().message;
  ASSERT_TRUE(verify(inserted->graph).ok());
  EXPECT_EQ(inserted->cut, "pool2");
  EXPECT_EQ(inserted->constants.size(), 8u);
  const auto inputs = randomInputs(graph, 1);
  auto before = run(graph, inputs);
  auto after = run(inserted->graph, inputs);
  ASSERT_TRUE(before.ok() && after.ok());
  for (std::size_t i = 0; i < before->size(); ++i) {
    const auto a = (*before)[i].as<float>();
    const auto b = (*after)[i].as<float>();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin()));
  }
  EXPECT_TRUE(findCut(inserted->graph, "pool2").ok());
}

TEST(Bottleneck, AnAutoencoderMovesTheCutToItsLatentMap) {
  const Graph graph = smallYolo();
  const Shape map = graph.shape(graph.findValue("pool2"));
  for (const std::int64_t stride : {1, 2}) {
    auto inserted = insertAutoencoder(graph, "pool2", {3, stride}, 1);
    ASSERT_TRUE(inserted.ok()) << inserted.error().message;
    const Graph& wide = inserted->graph;
    ASSERT_TRUE(verify(wide).ok());
    EXPECT_EQ(toString(wide.shape(wide.findValue(inserted->cut))),
              toString(Shape{1, 3, map[2] / stride, map[3] / stride}));
    EXPECT_EQ(toString(wide.shape(wide.findValue(inserted->restored))), toString(map));
    EXPECT_TRUE(findCut(wide, inserted->cut).ok());
  }
  EXPECT_FALSE(insertAutoencoder(graph, "head0", {3, 1}, 1).ok());
  EXPECT_FALSE(insertAutoencoder(graph, "nothing", {3, 1}, 1).ok());
}

void expectCode(const Graph& graph, const AutoencoderStart& start,
                const std::vector<Tensor>& inputs) {
  auto inserted = insertAutoencoder(graph, "pool2", {2}, 1, &start);
  ASSERT_TRUE(inserted.ok()) << inserted.error().message;
  Graph wide = std::move(inserted->graph);
  ASSERT_TRUE(verify(wide).ok());
  ASSERT_TRUE(wide.setOutputs({wide.findValue("pool2"), wide.findValue(inserted->cut),
                               wide.findValue(inserted->restored)})
                  .ok());
  auto maps = run(wide, inputs);
  ASSERT_TRUE(maps.ok()) << maps.error().message;
  const LinearCode& code = start.code;
  const auto x = (*maps)[0].as<float>();
  const auto channels = static_cast<std::size_t>((*maps)[0].shape()[1]);
  const std::size_t area = x.size() / channels;
  for (std::size_t p = 0; p < area; ++p) {
    float z[2];
    for (std::size_t i = 0; i < 2; ++i) {
      z[i] = code.encode_bias.as<float>()[i];
      for (std::size_t c = 0; c < channels; ++c) {
        z[i] += code.encode.as<float>()[i * channels + c] * x[c * area + p];
      }
      if (start.rectified) z[i] = std::max(z[i], 0.0F);
      EXPECT_NEAR((*maps)[1].as<float>()[i * area + p], z[i], 1e-4);
    }
    for (std::size_t c = 0; c < channels; ++c) {
      float y = code.decode_bias.as<float>()[c];
      for (std::size_t i = 0; i < 2; ++i) y += code.decode.as<float>()[c * 2 + i] * z[i];
      EXPECT_NEAR((*maps)[2].as<float>()[c * area + p], y, 1e-4);
    }
  }
}

TEST(Bottleneck, AnAutoencoderComputesTheCodeItStartsFrom) {
  const Graph graph = smallYolo();
  auto finder = LinearCodeFinder::create(graph, "pool2", 1);
  ASSERT_TRUE(finder.ok()) << finder.error().message;
  const auto inputs = randomInputs(graph, 1);
  ASSERT_TRUE(finder->add(inputs[0].view()).ok());
  auto code = finder->find(2);
  ASSERT_TRUE(code.ok()) << code.error().message;
  AutoencoderStart start{std::move(*code), false};
  expectCode(graph, start, inputs);
  start.rectified = true;
  expectCode(graph, start, inputs);
  EXPECT_FALSE(insertAutoencoder(graph, "pool2", {2, 2}, 1, &start).ok());
  EXPECT_FALSE(insertAutoencoder(graph, "pool2", {2, 1, 2}, 1, &start).ok());
  EXPECT_FALSE(insertAutoencoder(graph, "pool2", {1}, 1, &start).ok());
  const std::int64_t channels = graph.shape(graph.findValue("pool2"))[1];
  auto whole = finder->find(channels);
  ASSERT_TRUE(whole.ok());
  start.code = std::move(*whole);
  // Rectified numbers need one channel of the decoder each, others two.
  EXPECT_TRUE(insertAutoencoder(graph, "pool2", {channels}, 1, &start).ok());
  start.rectified = false;
  EXPECT_FALSE(insertAutoencoder(graph, "pool2", {channels}, 1, &start).ok());
}

std::vector<double> highestOfChannels(const Tensor& map) {
  const auto channels = static_cast<std::size_t>(map.shape()[1]);
  const auto values = map.as<float>();
  const std::size_t area = values.size() / channels;
  std::vector<double> highest;
  for (std::size_t c = 0; c < channels; ++c) {
    const auto channel = values.subspan(c * area, area);
    highest.push_back(static_cast<double>(*std::max_element(channel.begin(), channel.end())));
  }
  return highest;
}

TEST(Bottleneck, WhatAPointwiseLayerReadsCanBeSentInsteadOfItsMap) {
  auto zoo = buildZooModel("zoo:squeezenet@64,classes=10", 1);
  ASSERT_TRUE(zoo.ok());
  auto simple = simplify(zoo->graph);
  ASSERT_TRUE(simple.ok());
  const Graph& graph = *simple;
  const auto inputs = randomInputs(graph, 1);
  auto before = run(graph, inputs);
  ASSERT_TRUE(before.ok());
  int readers = 0;
  for (const Value& value : graph.values()) {
    const auto reader = pointwiseReader(graph, value.name);
    if (!reader || reader->bias.shape()[0] > value.type.shape[1]) continue;
    ++readers;
    EXPECT_TRUE(reader->rectified) << value.name;
    auto finder = LinearCodeFinder::create(graph, value.name, 1);
    ASSERT_TRUE(finder.ok());
    ASSERT_TRUE(finder->add(inputs[0].view()).ok());
    auto code = finder->decoderFor(reader->weight.view(), reader->bias.view());
    ASSERT_TRUE(code.ok()) << code.error().message;
    const AutoencoderStart whole{std::move(*code), reader->rectified};
    const std::int64_t outputs = reader->bias.shape()[0];
    std::vector<double> highest;
    for (const std::int64_t parts : {1, 2, 3, 4, 6}) {
      if (parts * outputs > value.type.shape[1]) break;
      const AutoencoderStart in_parts =
          parts > 1 ? segmented(whole, highest, parts) : AutoencoderStart();
      auto inserted = insertAutoencoder(graph, value.name, {parts * outputs}, 1,
                                        parts > 1 ? &in_parts : &whole);
      ASSERT_TRUE(inserted.ok()) << inserted.error().message;
      Graph wide = std::move(inserted->graph);
      ASSERT_TRUE(wide.setOutputs({wide.outputs()[0], wide.findValue(inserted->cut)}).ok());
      auto after = run(wide, inputs);
      ASSERT_TRUE(after.ok());
      for (std::size_t i = 0; i < (*before)[0].as<float>().size(); ++i) {
        EXPECT_NEAR((*before)[0].as<float>()[i], (*after)[0].as<float>()[i], 1e-3)
            << value.name << " in " << parts;
      }
      if (parts == 1) highest = highestOfChannels((*after)[1]);
    }
  }
  EXPECT_GT(readers, 3);
  EXPECT_FALSE(pointwiseReader(graph, graph.value(graph.inputs()[0]).name));
  EXPECT_FALSE(pointwiseReader(graph, "nothing"));
}

struct Setting {
  TemporaryDirectory folder;
  DataSet data;
  ModelDescription description;
  Graph graph;
  TightenRequest request;
};

/// Drawn scenes without labels: the untrained network is its own teacher, and accuracy is how far
/// the answers agree.
Result<Setting> makeSetting() {
  NARROWS_TRY(folder, TemporaryDirectory::create("tighten"));
  SceneOptions options;
  options.count = 12;
  options.size = {96, 64};
  NARROWS_CHECK(writeScenes(folder.path() / "set", options));
  NARROWS_TRY(data, openDataSet(folder.path() / "set"));
  data.truth = TruthKind::none;
  NARROWS_TRY(zoo, buildZooModel("zoo:mini-yolo@64,classes=8,width=0.25", 1));
  ModelDescription description;
  description.name = "scenes";
  description.preprocessing.width = description.preprocessing.height = 64;
  description.head.kind = HeadKind::yolov3;
  description.head.classes = 8;
  description.head.score_threshold = 0.02;
  for (const auto& list : zoo.anchors) {
    auto& anchors = description.head.anchors.emplace_back();
    for (const ZooAnchor& anchor : list) anchors.push_back({anchor.width, anchor.height});
  }
  TightenRequest request;
  request.cut = "pool2";
  request.quantizer = {QuantizerKind::uniform, 2, Granularity::channel};
  DetectionTask task;
  task.head = description.head;
  task.width = task.height = 64;
  request.trainer.task = task;
  request.trainer.task_weight = 0;
  request.trainer.teacher = Teacher{zoo.graph, 1, 2, {}, 0};
  request.trainer.average_decay = 0.9;
  request.batches.batch = 4;
  request.fit.epochs = 3;
  return Setting{std::move(folder), std::move(data), std::move(description), std::move(zoo.graph),
                 std::move(request)};
}

Result<TightenResult> runTighten(const Setting& setting) {
  NARROWS_TRY(validator, Validator::create(defaultEngineName(), setting.data, setting.description,
                                           setting.graph, 1));
  return tighten(setting.graph, setting.description, setting.data, validator, setting.request, {});
}

TEST(Tighten, EveryTransformationLeavesAMeasuredRowAndWorkingPieces) {
  auto setting = makeSetting();
  ASSERT_TRUE(setting.ok()) << setting.error().message;
  TightenRequest& request = setting->request;
  request.prune = PruneOptions{};
  request.prune->max_drop = 100;
  request.prune->epochs = 1;
  request.prune->trials = 1;
  request.prune->least = 0.4;
  request.autoencoder = AutoencoderShape{2, 2, 2};
  request.autoencoder_epochs = 1;
  request.learned = true;
  request.clustering = {GrowthKind::power, 0.1, 2};
  request.rate = 1e-4;
  request.recovery = EngineShape{1, 0};
  request.recovery_epochs = 1;
  auto result = runTighten(*setting);
  ASSERT_TRUE(result.ok()) << result.error().message;
  std::vector<std::string> stages;
  for (const TightenRow& row : result->rows) stages.push_back(row.stage);
  EXPECT_EQ(stages,
            (std::vector<std::string>{"original", "quantized", "pruned step 1", "pruned step 2",
                                      "autoencoder", "trained", "recovered"}));
  const auto& rows = result->rows;
  EXPECT_LT(rows[1].mean_bytes, 0.2 * rows[0].mean_bytes);
  EXPECT_LT(rows[2].cut_elements, rows[1].cut_elements);
  EXPECT_LT(rows[3].node_macs, rows[2].node_macs);
  EXPECT_LT(rows[3].node_parameters, rows[2].node_parameters);
  EXPECT_EQ(rows[6].node_macs, rows[5].node_macs);
  EXPECT_GT(rows[6].server_macs, rows[5].server_macs);
  ASSERT_EQ(result->split.pieces.size(), 2u);
  EXPECT_TRUE(checkPieces(result->split.plan, result->split.pieces).ok());
}

TEST(Tighten, AFittedStartKeepsWhatARandomOneLoses) {
  auto setting = makeSetting();
  ASSERT_TRUE(setting.ok()) << setting.error().message;
  TightenRequest& request = setting->request;
  request.quantizer.bits = 8;
  request.autoencoder = AutoencoderShape{2};
  request.autoencoder_epochs = 1;
  request.fit.epochs = 0;
  std::vector<double> accuracies;
  for (const bool fitted : {false, true}) {
    request.fitted_start = fitted;
    auto result = runTighten(*setting);
    ASSERT_TRUE(result.ok()) << result.error().message;
    ASSERT_EQ(result->rows.size(), 3u);
    EXPECT_EQ(result->rows[2].stage, "autoencoder");
    EXPECT_EQ(2 * result->rows[2].cut_elements, result->rows[1].cut_elements);
    accuracies.push_back(result->rows[2].accuracy.primary);
  }
  EXPECT_GT(accuracies[1], accuracies[0]);
}

TEST(Tighten, AFittedStartInPartsUsesOneRange) {
  auto setting = makeSetting();
  ASSERT_TRUE(setting.ok()) << setting.error().message;
  auto zoo = buildZooModel("zoo:squeezenet@64,classes=8", 1);
  ASSERT_TRUE(zoo.ok());
  auto simple = simplify(zoo->graph);
  ASSERT_TRUE(simple.ok());
  setting->graph = std::move(*simple);
  setting->description.head = Head();
  setting->description.head.kind = HeadKind::classification;
  setting->description.head.classes = 8;
  TightenRequest& request = setting->request;
  request.cut.clear();
  std::int64_t outputs = 0;
  for (const Value& value : setting->graph.values()) {
    const auto reader = pointwiseReader(setting->graph, value.name);
    if (!reader || 4 * reader->bias.shape()[0] > value.type.shape[1]) continue;
    request.cut = value.name;
    outputs = reader->bias.shape()[0];
    break;
  }
  ASSERT_FALSE(request.cut.empty());
  request.quantizer = {QuantizerKind::uniform, 3, Granularity::channel};
  request.autoencoder = AutoencoderShape{3 * outputs};
  request.fitted_start = true;
  request.trainer.task = ClassificationTask{};
  request.trainer.teacher.reset();
  request.fit.epochs = 0;
  auto result = runTighten(*setting);
  ASSERT_TRUE(result.ok()) << result.error().message;
  ASSERT_EQ(result->split.plan.interfaces.size(), 1u);
  const auto* interface = std::get_if<FeatureInterface>(&result->split.plan.interfaces[0]);
  ASSERT_NE(interface, nullptr);
  const QuantizerParams& quantizer = interface->quantizer;
  ASSERT_EQ(static_cast<std::int64_t>(quantizer.low.size()), 3 * outputs);
  const auto highest = [&](std::int64_t channel) {
    const auto i = static_cast<std::size_t>(channel);
    return static_cast<double>(quantizer.low[i] + 7 * quantizer.step[i]);
  };
  // Parts that change at all; a range may reach further where a part is full nearly everywhere.
  const auto median = [&](std::int64_t part) {
    std::vector<double> all;
    for (std::int64_t i = part * outputs; i < (part + 1) * outputs; ++i) {
      if (quantizer.step[static_cast<std::size_t>(i)] < 1) all.push_back(highest(i));
    }
    EXPECT_GE(static_cast<std::int64_t>(all.size()), outputs / 2) << part;
    if (all.empty()) return 0.0;
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
  };
  // The lower parts of a number are full somewhere; the highest one is full once at most, which the
  // quantizer's range need not reach.
  EXPECT_NEAR(median(1) / median(0), 1, 0.02);
  EXPECT_NEAR(median(2) / median(0), 0.75, 0.25);
}

TEST(Tighten, PruningKeepsToTheGoalsThatItIsGiven) {
  auto setting = makeSetting();
  ASSERT_TRUE(setting.ok());
  TightenRequest& request = setting->request;
  request.fit.epochs = 0;
  request.prune = PruneOptions{};
  request.prune->epochs = 0;
  auto before = runTighten(*setting);
  ASSERT_TRUE(before.ok()) << before.error().message;
  request.prune->frame_bytes = 0.6 * before->rows[1].mean_bytes;
  request.prune->node_macs_share = 0.5;
  auto result = runTighten(*setting);
  ASSERT_TRUE(result.ok()) << result.error().message;
  const auto& rows = result->rows;
  EXPECT_LE(rows[2].mean_bytes, request.prune->frame_bytes);
  EXPECT_GT(rows[2].cut_elements, 0);
  // One filter more would have been too long: the goal is not overshot by half.
  EXPECT_GT(rows[2].mean_bytes, 0.3 * before->rows[1].mean_bytes);
  EXPECT_LE(2 * rows[3].node_macs, rows[0].node_macs);
  EXPECT_GT(4 * rows[3].node_macs, rows[0].node_macs);
}

TEST(Tighten, WeightsBehindTheLastTrainedValueAreSharedToTheBit) {
  auto setting = makeSetting();
  ASSERT_TRUE(setting.ok());
  // As a network kept in half precision is.
  auto half = halveWeights(setting->graph);
  ASSERT_TRUE(half.ok());
  auto given = simplify(*half, {{"fold-affine"}});
  ASSERT_TRUE(given.ok());
  setting->graph = *given;
  TightenRequest& request = setting->request;
  request.trainer.teacher = Teacher{*given, 1, 2, {}, 0};
  request.trainer.task_weight = 1;
  request.autoencoder = AutoencoderShape{2, 1};
  request.autoencoder_epochs = 1;
  request.fit.epochs = 1;
  request.train_until = "pool3";
  request.half_weights = true;
  auto result = runTighten(*setting);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->rows.back().stage, "half precision");
  EXPECT_NEAR(result->rows.back().accuracy.primary, result->rows[3].accuracy.primary, 5);
  std::size_t shared = 0;
  std::size_t trained = 0;
  for (const Graph& piece : result->split.pieces) {
    for (const Value& value : piece.values()) {
      if (!value.isConstant() || value.type.dtype != DType::f16) continue;
      const ValueId before = half->findValue(value.name);
      if (!before.valid()) continue;  // of the autoencoder
      const auto a = half->value(before).constant->view().bytes();
      const auto b = value.constant->view().bytes();
      const bool same = std::equal(a.begin(), a.end(), b.begin(), b.end());
      (same ? shared : trained) += 1;
    }
  }
  EXPECT_EQ(trained, 3u) << "conv1 to conv3";
  EXPECT_GT(shared, 2u);
  request.train_until = "nothing";
  EXPECT_EQ(runTighten(*setting).error().message, "the network has no value nothing");
}

TEST(Tighten, TheRateTermIsDrivenToTheBytesAskedFor) {
  auto setting = makeSetting();
  ASSERT_TRUE(setting.ok());
  TightenRequest& request = setting->request;
  request.fit.epochs = 12;
  request.trainer.batch_norm_training = false;
  request.trainer.average_decay = 0;
  request.learned = true;
  request.rate = 1e-4;
  request.fit.learning_rate.peak = 1e-2;
  auto free = runTighten(*setting);
  ASSERT_TRUE(free.ok()) << free.error().message;
  request.target_bytes = 0.85 * free->rows.back().mean_bytes;
  auto driven = runTighten(*setting);
  ASSERT_TRUE(driven.ok()) << driven.error().message;
  EXPECT_LE(driven->rows.back().mean_bytes, request.target_bytes);
}

TEST(Tighten, TrainingWinsBackWhatTheQuantizerLost) {
  auto setting = makeSetting();
  ASSERT_TRUE(setting.ok());
  setting->request.fit.epochs = 12;
  setting->request.fit.learning_rate.peak = 2e-3;
  setting->request.quantizer = {QuantizerKind::two_level, 1, Granularity::tensor};
  setting->request.trainer.batch_norm_training = false;
  auto result = runTighten(*setting);
  ASSERT_TRUE(result.ok()) << result.error().message;
  ASSERT_EQ(result->rows.size(), 3u);
  EXPECT_GT(result->rows[2].accuracy.primary, result->rows[1].accuracy.primary);

  // What ships computes nearly the symbols that training saw.
  const auto& interface = std::get<FeatureInterface>(result->split.plan.interfaces[0]);
  auto engine = makeEngine(defaultEngineName());
  ASSERT_TRUE(engine.ok());
  auto agreement = compareSymbols(result->split.pieces[0], {&interface, 1}, setting->data,
                                  setting->description, **engine, 12);
  ASSERT_TRUE(agreement.ok()) << agreement.error().message;
  EXPECT_GT(agreement->symbols, 1000u);
  EXPECT_LE(agreement->different, agreement->symbols / 10000);
}

TEST(Tighten, AResumedRunTrainsNothingAgainAndGivesTheSamePieces) {
  auto setting = makeSetting();
  ASSERT_TRUE(setting.ok());
  setting->request.learned = true;
  setting->request.rate = 1e-4;
  setting->request.fit.folder = setting->folder.path();
  setting->request.fit.resume = true;
  auto first = runTighten(*setting);
  auto second = runTighten(*setting);
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_EQ(first->split.pieces.size(), second->split.pieces.size());
  for (std::size_t i = 0; i < first->rows.size(); ++i) {
    EXPECT_EQ(first->rows[i].mean_bytes, second->rows[i].mean_bytes);
    EXPECT_EQ(first->rows[i].accuracy.primary, second->rows[i].accuracy.primary);
  }
  EXPECT_EQ(first->split.plan.interfaces[0], second->split.plan.interfaces[0]);
}

}  // namespace
}  // namespace narrows::test
