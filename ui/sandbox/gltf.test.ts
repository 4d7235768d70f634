import validator from 'gltf-validator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SandboxProcess } from './sandbox';

let sandbox: SandboxProcess;
beforeAll(async () => {
  sandbox = await SandboxProcess.start('--seed', '11');
});
afterAll(async () => {
  await sandbox?.stop();
});

// New avatars get a new seed each; the existing ones have fixed seeds.
test.each(['new', 'new', 'new', 'ari', 'remy', 'robin', 'yuki'])(
  'the Khronos validator has nothing to say about an avatar (%s)',
  async (avatar) => {
    const report = await validator.validateBytes(new Uint8Array(await sandbox.avatarGlb(avatar)), {
      maxIssues: 20,
    });
    const { numErrors, numWarnings, messages } = report.issues;
    expect({ numErrors, numWarnings, messages }).toEqual({ numErrors: 0, numWarnings: 0, messages: [] });
    expect(report.info.totalVertexCount).toBeGreaterThanOrEqual(5_000);
    expect(report.info.totalVertexCount).toBeLessThanOrEqual(27_000);
    expect(report.info).toMatchObject({ hasSkins: true, hasMorphTargets: true, hasTextures: true });
  },
);
