// Runs the pieces of a bundle in ONNX Runtime, as its plan connects them, and compares the outputs
// with stored ones of the whole network.
//
//   node ort_pieces.mjs ORT_FOLDER BUNDLE INPUT.f32 OUTPUT.f32...
//
// BUNDLE is the directory that `narrows split` writes. The .f32 files are raw little-endian floats:
// the network's input and its outputs in the model's order; of a stack of samples the first is
// taken. Prints the largest difference, relative to the range of its output.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [ortFolder, bundle, inputPath, ...outputPaths] = process.argv.slice(2);
if (outputPaths.length === 0) {
  console.error('usage: ort_pieces.mjs ORT_FOLDER BUNDLE INPUT.f32 OUTPUT.f32...');
  process.exit(2);
}
const require = createRequire(join(resolve(ortFolder), 'index.js'));
const ort = require('onnxruntime-node');

function readFloats(path) {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function elementsOf(shape) {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Largest difference, relative to the largest minus the smallest of `expected`. */
function relativeError(actual, expected) {
  if (actual.length > expected.length) {
    throw new Error(`${actual.length} values, ${expected.length} are stored`);
  }
  let low = Infinity;
  let high = -Infinity;
  let worst = 0;
  actual.forEach((value, i) => {
    low = Math.min(low, expected[i]);
    high = Math.max(high, expected[i]);
    const difference = Math.abs(value - expected[i]);
    // A difference that is not a number must not pass as zero.
    worst = difference <= worst ? worst : difference;
  });
  return high > low ? worst / (high - low) : worst;
}

const plan = JSON.parse(readFileSync(join(bundle, 'plan.json'), 'utf8'));
// Where a value is: the name of its piece (none for the model's own ends) and of its port.
const keyOf = (end) => `${end.piece ?? ''}\n${end.port}`;
const values = new Map();
const [input] = plan.inputs;
values.set(keyOf({ port: input.name }), new ort.Tensor('float32',
  readFloats(inputPath).subarray(0, elementsOf(input.shape)), input.shape));

/** The value that a transfer brings to `end`. A plan of `split` moves whole tensors. */
function arrivingAt(end) {
  const transfer = plan.transfers.find((entry) => keyOf(entry.destination) === keyOf(end));
  const value = transfer && values.get(keyOf(transfer.source));
  if (!value) throw new Error(`nothing arrives at ${end.piece ?? 'output'} ${end.port}`);
  return value;
}

for (const piece of plan.pieces) {
  const session = await ort.InferenceSession.create(join(bundle, 'pieces', `${piece.name}.onnx`));
  const feeds = {};
  for (const port of piece.inputs) {
    feeds[port.name] = arrivingAt({ piece: piece.name, port: port.name });
  }
  const results = await session.run(feeds);
  for (const port of piece.outputs) {
    values.set(keyOf({ piece: piece.name, port: port.name }), results[port.name]);
  }
}
const errors = plan.outputs.map((port, index) =>
  relativeError(arrivingAt({ port: port.name }).data, readFloats(outputPaths[index])));
if (errors.length !== outputPaths.length) {
  throw new Error(`the model has ${errors.length} outputs, ${outputPaths.length} are given`);
}
const worst = errors.reduce((most, error) => (error <= most ? most : error), 0);
if (!Number.isFinite(worst)) throw new Error('an output is not finite');
console.log(worst);
