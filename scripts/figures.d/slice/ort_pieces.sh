#!/usr/bin/env bash
# The pieces that `narrows split` writes, run in ONNX Runtime on the stored inputs, against the
# stored outputs of the whole networks: each model cut at three places, early, middle and late.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

"$ROOT/scripts/install-onnxruntime" >&2
vectors=$SHARED/models/testvec
worst=0
pieces=0

# check MODEL INPUT OUTPUT...: names of vectors without their shapes.
check() {
  local model=$1 input=$2 cuts cut bundle error outputs=()
  shift 2
  for output in "$@"; do outputs+=("$(echo "$vectors/$output"_[0-9]*.f32)"); done
  mapfile -t cuts < <("$NARROWS" analyze "$SHARED/models/$model" --json |
    jq -r '[.cuts[].cut] | .[(length / 8 | floor), (length / 2 | floor), (length * 7 / 8 | floor)]')
  ((${#cuts[@]} == 3)) || die "$model: analyze lists no cuts"
  for cut in "${cuts[@]}"; do
    bundle=$WORK/bundle
    rm -rf "$bundle"
    "$NARROWS" split "$SHARED/models/$model" --cut "$cut" --quantizer none --out "$bundle" >&2
    error=$(node "$ROOT/bench/ort_pieces.mjs" "$ROOT/build/ort" "$bundle" \
      "$(echo "$vectors/$input"_[0-9]*.f32)" "${outputs[@]}")
    echo "$model cut at $cut: $error of the output's range" >&2
    worst=$(jq -n "[$worst, $error] | max")
    pieces=$((pieces + 2))
  done
}

check yolo-fastest-1.1-coco.cfg yolo_dog_input \
  yolo-fastest-1.1-coco_dog_head0 yolo-fastest-1.1-coco_dog_head1
check mobilenetv2-yolov3-nano-coco.cfg yolo_dog_input \
  mobilenetv2-yolov3-nano-coco_dog_head0 mobilenetv2-yolov3-nano-coco_dog_head1
check mobilenetv2-yolov3-nano-voc.cfg yolo_dog_input \
  mobilenetv2-yolov3-nano-voc_dog_head0 mobilenetv2-yolov3-nano-voc_dog_head1
check yolox_nano.onnx yolox_nano_dog_input yolox_nano_dog_output
check fastestdet.onnx fastestdet_dog_input fastestdet_dog_output
check ultraface-rfb-320.onnx ultraface-rfb-320_faces_input \
  ultraface-rfb-320_faces_scores ultraface-rfb-320_faces_boxes
check ultraface-rfb-320-simplified.onnx ultraface-rfb-320_faces_input \
  ultraface-rfb-320-simplified_faces_scores ultraface-rfb-320-simplified_faces_boxes
check squeezenet1_0-imagenet.onnx squeezenet1_0-imagenet_input squeezenet1_0-imagenet_logits
check mobilenetv2-imagenet.onnx mobilenetv2-imagenet_input mobilenetv2-imagenet_logits
check resnet20-cifar10.onnx resnet-cifar10_input resnet20-cifar10_logits
check resnet56-cifar10.onnx resnet-cifar10_input resnet56-cifar10_logits
figure ort_pieces_run "$pieces" pieces
figure ort_piece_max_rel_error "$worst" ratio
