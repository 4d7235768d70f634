// Compresses the meshes of a GLB.
import { NodeIO } from '@gltf-transform/core';
import { ALL_EXTENSIONS, EXTMeshoptCompression, KHRDracoMeshCompression } from '@gltf-transform/extensions';
import draco3d from 'draco3dgltf';
import { MeshoptDecoder, MeshoptEncoder } from 'meshoptimizer';

/** The GLB with compressed meshes. Blendshapes are not compressed by Draco. */
export async function compressGlb(glb: Uint8Array, by: 'draco' | 'meshopt'): Promise<Buffer> {
  await MeshoptEncoder.ready;
  const io = new NodeIO().registerExtensions(ALL_EXTENSIONS).registerDependencies({
    'draco3d.encoder': await draco3d.createEncoderModule(),
    'draco3d.decoder': await draco3d.createDecoderModule(),
    'meshopt.encoder': MeshoptEncoder,
    'meshopt.decoder': MeshoptDecoder,
  });
  const document = await io.readBinary(new Uint8Array(glb));
  const extension =
    by === 'draco'
      ? document.createExtension(KHRDracoMeshCompression)
      : document.createExtension(EXTMeshoptCompression);
  extension.setRequired(true);
  return Buffer.from(await io.writeBinary(document));
}
