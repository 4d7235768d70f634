// The verdict of the Khronos validator on a model.

import validator from 'gltf-validator';

/** Loads no other file: an avatar is one file. */
function refuseResource(uri) {
  return Promise.reject(new Error(`${uri} is not in the file`));
}

function deferred() {
  let resolve;
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/**
 * Number of errors of a model (`null` if the validator itself fails), and the first of them in words. `resources`: the files beside it, by name.
 */
export async function judgeModel(bytes, resources = new Map()) {
  const load = (uri) => {
    const found = resources.get(decodeURIComponent(uri));
    return found ? Promise.resolve(new Uint8Array(found)) : refuseResource(uri);
  };
  const { promise: crashed, resolve: crash } = deferred();
  // The validator throws some errors beside its promise.
  process.once('uncaughtException', crash);
  let report;
  try {
    const options = { maxIssues: 0, externalResourceFunction: load };
    report = await Promise.race([validator.validateBytes(new Uint8Array(bytes), options), crashed]);
  } catch (error) {
    return { errors: 1, first: `not glTF: ${error}` };
  } finally {
    process.off('uncaughtException', crash);
  }
  if (!report.issues) {
    return { errors: null, first: `the validator failed: ${report}` };
  }
  const first = report.issues.messages.find((message) => message.severity === 0);
  const place = first && (first.pointer ?? `byte ${first.offset}`);
  return { errors: report.issues.numErrors, first: first ? `${place}: ${first.code}` : '' };
}
