#include "narrows/formats/onnx_names.h"

namespace narrows {

const char* onnxName(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::relu:
      return "Relu";
    case UnaryKind::sigmoid:
      return "Sigmoid";
    case UnaryKind::tanh:
      return "Tanh";
    case UnaryKind::exp:
      return "Exp";
    case UnaryKind::log:
      return "Log";
    case UnaryKind::sqrt:
      return "Sqrt";
    case UnaryKind::abs:
      return "Abs";
    case UnaryKind::neg:
      return "Neg";
    case UnaryKind::erf:
      return "Erf";
    case UnaryKind::floor:
      return "Floor";
    case UnaryKind::ceil:
      return "Ceil";
    case UnaryKind::round:
      return "Round";
    case UnaryKind::reciprocal:
      return "Reciprocal";
    case UnaryKind::sign:
      return "Sign";
    case UnaryKind::softplus:
      return "Softplus";
    case UnaryKind::softsign:
      return "Softsign";
    case UnaryKind::hard_swish:
      return "HardSwish";
    case UnaryKind::logical_not:
      return "Not";
    case UnaryKind::sin:
      return "Sin";
    case UnaryKind::cos:
      return "Cos";
    case UnaryKind::tan:
      return "Tan";
    case UnaryKind::asin:
      return "Asin";
    case UnaryKind::acos:
      return "Acos";
    case UnaryKind::atan:
      return "Atan";
    case UnaryKind::sinh:
      return "Sinh";
    case UnaryKind::cosh:
      return "Cosh";
    case UnaryKind::asinh:
      return "Asinh";
    case UnaryKind::acosh:
      return "Acosh";
    case UnaryKind::atanh:
      return "Atanh";
    case UnaryKind::is_nan:
      return "IsNaN";
    case UnaryKind::is_inf:
      return "IsInf";
    case UnaryKind::mish:
    case UnaryKind::silu:
    case UnaryKind::gelu:
    case UnaryKind::gelu_tanh:
      return nullptr;
  }
  return nullptr;
}

const char* onnxName(BinaryKind kind) {
  switch (kind) {
    case BinaryKind::add:
      return "Add";
    case BinaryKind::sub:
      return "Sub";
    case BinaryKind::mul:
      return "Mul";
    case BinaryKind::div:
      return "Div";
    case BinaryKind::pow:
      return "Pow";
    case BinaryKind::min:
      return "Min";
    case BinaryKind::max:
      return "Max";
    case BinaryKind::mod:
    case BinaryKind::fmod:
      return "Mod";
    case BinaryKind::equal:
      return "Equal";
    case BinaryKind::less:
      return "Less";
    case BinaryKind::less_equal:
      return "LessOrEqual";
    case BinaryKind::greater:
      return "Greater";
    case BinaryKind::greater_equal:
      return "GreaterOrEqual";
    case BinaryKind::logical_and:
      return "And";
    case BinaryKind::logical_or:
      return "Or";
    case BinaryKind::logical_xor:
      return "Xor";
  }
  return "";
}

const char* onnxName(PadMode mode) {
  switch (mode) {
    case PadMode::constant:
      return "constant";
    case PadMode::reflect:
      return "reflect";
    case PadMode::edge:
      return "edge";
  }
  return "";
}

const char* onnxName(ResizeCoordinates coordinates) {
  switch (coordinates) {
    case ResizeCoordinates::half_pixel:
    case ResizeCoordinates::half_pixel_symmetric:
      return "half_pixel";
    case ResizeCoordinates::pytorch_half_pixel:
      return "pytorch_half_pixel";
    case ResizeCoordinates::align_corners:
      return "align_corners";
    case ResizeCoordinates::asymmetric:
      return "asymmetric";
  }
  return "";
}

const char* onnxName(ResizeRounding rounding) {
  switch (rounding) {
    case ResizeRounding::round_prefer_floor:
      return "round_prefer_floor";
    case ResizeRounding::round_prefer_ceil:
      return "round_prefer_ceil";
    case ResizeRounding::floor:
      return "floor";
    case ResizeRounding::ceil:
      return "ceil";
  }
  return "";
}

const char* onnxName(ResizeMode mode) {
  switch (mode) {
    case ResizeMode::nearest:
      return "nearest";
    case ResizeMode::linear:
      return "linear";
    case ResizeMode::cubic:
      return "cubic";
  }
  return "";
}

const char* onnxName(ReduceKind kind) {
  switch (kind) {
    case ReduceKind::mean:
      return "ReduceMean";
    case ReduceKind::sum:
      return "ReduceSum";
    case ReduceKind::max:
      return "ReduceMax";
    case ReduceKind::min:
      return "ReduceMin";
    case ReduceKind::prod:
      return "ReduceProd";
    case ReduceKind::l1:
      return "ReduceL1";
    case ReduceKind::l2:
      return "ReduceL2";
    case ReduceKind::sum_square:
      return "ReduceSumSquare";
    case ReduceKind::log_sum:
      return "ReduceLogSum";
    case ReduceKind::log_sum_exp:
      return "ReduceLogSumExp";
  }
  return "";
}

}  // namespace narrows
