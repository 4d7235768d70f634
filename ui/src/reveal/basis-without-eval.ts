// The transcoder of Basis Universal textures connects WebAssembly and JavaScript by functions that it makes from text,
// which the content security policy forbids (Emscripten's Embind without `DYNAMIC_EXECUTION=0`). They are replaced by
// closures that do the same. Written against the transcoder in three 0.187.0; `basis-without-eval.test.ts` runs it.

/** Each place where a function is made from text, and its replacement. */
const REPLACEMENTS: readonly (readonly [text: string, replacement: string])[] = [
  [
    'newFunc(Function,args)(...closureArgs)',
    'bindNativeFunction(argTypes,isClassMethodFunc,needsDestructorStack,returns,cppInvokerFunc,cppTargetFunc,runDestructors)',
  ],
  ['newFunc(Function,params)(...args)', 'bindMethodCaller(retType,types,kind,emval_returnValue)'],
];

/** The transcoder's source without functions made from text. Throws if it is not the source that this was written for. */
export function removeEvalFromTranscoder(source: string): string {
  let changed = source;
  for (const [text, replacement] of REPLACEMENTS) {
    if (changed.split(text).length !== 2)
      throw new Error('the decoder of KTX2 textures is another version than expected');
    changed = changed.replace(text, () => replacement);
  }
  return `${HELPERS}\n${changed}`;
}

/** The functions that the replacements call. They use the names of Embind's type objects. */
const HELPERS = `
function bindNativeFunction(types, isMethod, needsStack, returns, invoke, target, runDestructors) {
  const first = isMethod ? 1 : 2;
  return function (...values) {
    const stack = needsStack ? [] : null;
    const given = isMethod ? [this, ...values] : values;
    const wired = types.slice(first).map((type, i) => type.toWireType(stack, given[i]));
    const result = invoke(target, ...wired);
    if (stack) runDestructors(stack);
    else types.slice(first).forEach((type, i) => type.destructorFunction && type.destructorFunction(wired[i]));
    return returns ? types[0].fromWireType(result) : undefined;
  };
}
function bindMethodCaller(returnType, types, kind, returnValue) {
  return (object, called, destructors, address) => {
    let offset = 0;
    const values = types.map((type) => {
      const value = type.readValueFromPointer(address + offset);
      offset += type.argPackAdvance;
      return value;
    });
    const result = kind === 1 ? new called(...values) : called.call(...(kind === 0 ? [object] : []), ...values);
    return returnType.isVoid ? undefined : returnValue(returnType, destructors, result);
  };
}`;
