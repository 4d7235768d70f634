// The package has no types.
declare module 'gltf-validator' {
  interface Report {
    issues: { numErrors: number; numWarnings: number; messages: unknown[] };
    info: { totalVertexCount: number } & Record<string, unknown>;
  }
  const validator: {
    validateBytes(data: Uint8Array, options?: { maxIssues?: number }): Promise<Report>;
  };
  export default validator;
}
