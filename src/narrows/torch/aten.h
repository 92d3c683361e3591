#pragma once

// The part of libtorch that is used here: tensors, automatic differentiation, own functions. The
// whole of <torch/torch.h> takes three times as long to compile.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
