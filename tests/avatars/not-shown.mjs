// The files that the reveal does not show, with the reason for the operator. It shows all others.

const NO_GLTF = 'The zip archive contains no glTF file (.glb, .gltf, .vrm)';

const NOTHING_TO_SEE = 'The file contains nothing to see';
const NO_MESH = 'The file contains no mesh';

export const REASONS = {
  'unknown-extension.glb': 'The file needs EXAMPLE_hair_physics, which this screen cannot show',
  'broken-cut-off.glb': 'The file is shorter than its description says',
  'broken-no-binary-chunk.glb': 'The file is shorter than its description says',
  'broken-view.glb': 'No picture of its surface can be decoded, and the figure would be white',
  'broken-json.glb': 'The description in the file is no valid JSON',
  'broken-empty.glb': 'The file is empty',
  'broken-page.glb': 'The file is a web page or XML, which this screen cannot show',
  'broken-fbx.glb': 'The file is an FBX file, which this screen cannot show',
  'broken-gltf-1.glb': 'The file is glTF 1.0, and this screen shows glTF 2.0',
  'broken-joint.glb': 'The file is no valid glTF: its skeleton lacks a joint that moves a part of it',
  'broken-matrices.glb': 'The file is no valid glTF: its skeleton has 5 joints, and 1 inverse bind matrices',
  'broken-loop.glb': 'The file is no valid glTF: its node 0 is in or above a loop of nodes',
  'broken-alignment.glb': 'The file is no valid glTF',
  'broken-image.glb': 'No picture of its surface can be decoded, and the figure would be white',
  'broken-draco.glb': 'The file is no valid glTF',
  'broken-external-buffer.glb': 'The file needs “head.bin”, which was not delivered with it',
  'broken-separate.gltf': 'The file needs “head%20data.bin”, which was not delivered with it',
  'broken-gltf.zip': 'The file needs “head%20data.bin”, which was not delivered with it',
  'points.zip': NOTHING_TO_SEE,
  'no-nodes.zip': NO_MESH,
  'broken-infinite-positions.glb': NOTHING_TO_SEE,
  'broken-all-indices.zip': NOTHING_TO_SEE,
  'broken-recursive-nodes.zip': NO_MESH,
  'broken-scene-type.zip': 'The file needs “BoxTextured0.bin”, which was not delivered with it',
  'broken-missing-file.zip': 'The file needs “BoxTextured0.bin”, which was not delivered with it',
  'only-fbx.zip': NO_GLTF,
  'deflate64.zip': NO_GLTF,
  'lzma.zip': NO_GLTF,
  'latin-1-name.zip': NO_GLTF,
  'nested.zip': NO_GLTF,
  'broken-aes.zip': NO_GLTF,
  'broken-encrypted.zip': NO_GLTF,
};
