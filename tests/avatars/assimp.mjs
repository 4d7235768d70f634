// Models that the Debian package `assimp-testmodels` contains, by the Khronos Group, Cesium and others (BSD and public
// domain, see the package's copyright file): made by other tools, with features that no npm package has, and broken ones.
// On other systems, ASSIMP_TEST_MODELS names the folder `test/models` of Assimp's source code.

import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeZip } from './zip.mjs';

const PACKAGE = 'assimp-testmodels';
const FOLDER = join(process.env.ASSIMP_TEST_MODELS ?? '/usr/share/assimp/models', 'glTF2');

/** Name in the corpus, path within the folder, feature. A glTF file with files beside it becomes an archive of them. */
const MODELS = [
  ['engine.glb', '2CylinderEngine-glTF-Binary/2CylinderEngine.glb', 'an engine, by Okino'],
  ['engine-draco.zip', 'draco/2CylinderEngine.gltf', 'the same, KHR_draco_mesh_compression, in an archive'],
  ['morph-cube.zip', 'glTF-Sample-Models/AnimatedMorphCube-glTF/AnimatedMorphCube.gltf', 'animated blendshapes, in an archive'],
  ['texture-transform.zip', 'textureTransform/TextureTransformTest.gltf', 'KHR_texture_transform, in an archive'],
  ['specular-glossiness.zip', 'BoxTextured-glTF-pbrSpecularGlossiness/BoxTextured.gltf', 'KHR_materials_pbrSpecularGlossiness'],
  ['simple-skin.zip', 'simple_skin/simple_skin.gltf', 'a skin, data URIs'],
  ['triangle-fan.zip', 'glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_06.gltf', 'a triangle fan'],
  ['points.zip', 'glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_00.gltf', 'points'],
  ['no-nodes.zip', 'TestNoRootNode/SceneWithoutNodes.gltf', 'a scene without nodes'],
  ['broken-no-tangents.zip', 'ClearCoat-glTF/ClearCoatTest.gltf', 'KHR_materials_clearcoat, and a normal map without UVs'],
  ['broken-zero-normals.glb', 'BoxBadNormals-glTF-Binary/BoxBadNormals.glb', 'normals of length 0'],
  ['broken-infinite-positions.glb', 'BoxWithInfinites-glTF-Binary/BoxWithInfinites.glb', 'infinite positions'],
  ['broken-all-indices.zip', 'IndexOutOfRange/AllIndicesOutOfRange.gltf', 'all indices beyond the vertices'],
  ['broken-recursive-nodes.zip', 'RecursiveNodes/RecursiveNodes.gltf', 'a node below itself'],
  ['broken-scene-type.zip', 'SchemaFailures/sceneWrongType.gltf', 'a text as the number of the scene'],
  ['broken-extension-type.zip', 'wrongTypes/badExtension.gltf', 'a list as an extension'],
  ['broken-missing-file.zip', 'MissingBin/BoxTextured.gltf', 'a buffer that is not in the archive'],
];

/** The paths of the files that a glTF document names, without data URIs. */
function namedFiles(document) {
  const uris = [...(document.buffers ?? []), ...(document.images ?? [])].map((item) => item.uri);
  return [...new Set(uris.filter((uri) => uri !== undefined && !uri.startsWith('data:')))].map(decodeURIComponent);
}

/** The models with their origin. */
export async function readAssimpModels() {
  if (!(await readdir(FOLDER).catch(() => null))) {
    throw new Error(`${FOLDER} is missing: install the Debian package ${PACKAGE}, or set ASSIMP_TEST_MODELS`);
  }
  const files = [];
  for (const [name, path, feature] of MODELS) {
    const file = join(FOLDER, path);
    const model = await readFile(file);
    if (name.endsWith('.glb')) {
      files.push({ name, feature, origin: PACKAGE, bytes: model, model });
      continue;
    }
    const resources = new Map();
    for (const uri of namedFiles(JSON.parse(model))) {
      const bytes = await readFile(join(dirname(file), uri)).catch(() => null);
      if (bytes) resources.set(uri, bytes);
    }
    const beside = [...resources].map(([uri, bytes]) => ({ name: uri, bytes }));
    const bytes = writeZip([{ name: 'model.gltf', bytes: model }, ...beside]);
    files.push({ name, feature, origin: PACKAGE, bytes, model, resources });
  }
  return files;
}
