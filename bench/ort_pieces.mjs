// Runs the two pieces of a bundle in ONNX Runtime, one after the other, on one input, and compares
// what comes out with the engine's output of the same pieces.
//
//   node ort_pieces.mjs ORT_FOLDER NODE_PIECE.onnx SERVER_PIECE.onnx INPUT.f32 OUTPUT.f32...
//
// The .f32 files are raw little-endian floats: the network's input, and the outputs of the server
// piece in the order in which the model lists them. Prints one JSON line with the largest
// difference, relative to the range of the output.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const [ortFolder, nodePath, serverPath, inputPath, ...outputPaths] = process.argv.slice(2);
if (outputPaths.length === 0) {
  console.error('usage: ort_pieces.mjs ORT_FOLDER NODE_PIECE SERVER_PIECE INPUT OUTPUT...');
  process.exit(2);
}
const require = createRequire(join(resolve(ortFolder), 'index.js'));
const ort = require('onnxruntime-node');

function readFloats(path) {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** A float tensor in the shape that the session wants for its input. */
function inputTensor(session, name, floats) {
  const metadata = session.inputMetadata.find((input) => input.name === name);
  return new ort.Tensor('float32', floats, metadata.shape.map(Number));
}

/** Largest difference, relative to the largest minus the smallest of `expected`. */
function relativeError(actual, expected) {
  if (actual.length !== expected.length) {
    throw new Error(`${actual.length} values, expected ${expected.length}`);
  }
  let low = Infinity;
  let high = -Infinity;
  let worst = 0;
  for (let i = 0; i < expected.length; ++i) {
    low = Math.min(low, expected[i]);
    high = Math.max(high, expected[i]);
    const difference = Math.abs(actual[i] - expected[i]);
    // A difference that is no number must not pass as zero.
    worst = difference <= worst ? worst : difference;
  }
  return high > low ? worst / (high - low) : worst;
}

const nodePiece = await ort.InferenceSession.create(nodePath);
const serverPiece = await ort.InferenceSession.create(serverPath);
const image = nodePiece.inputNames[0];
const crossing = await nodePiece.run({
  [image]: inputTensor(nodePiece, image, readFloats(inputPath)),
});
// The pieces of a bundle name the values that cross the cut alike on both sides.
const received = {};
for (const name of serverPiece.inputNames) {
  const value = crossing[name] ?? (nodePiece.outputNames.length === 1
    ? crossing[nodePiece.outputNames[0]] : undefined);
  if (value === undefined) throw new Error(`the node piece gives no value for input ${name}`);
  received[name] = value;
}
const answers = await serverPiece.run(received);
const errors = outputPaths.map((path, index) =>
  relativeError(answers[serverPiece.outputNames[index]].data, readFloats(path)));
console.log(JSON.stringify({
  node: nodePath,
  server: serverPath,
  max_rel_error: errors.reduce((worst, error) => (error <= worst ? worst : error), 0),
}));
