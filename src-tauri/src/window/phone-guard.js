// Runs in the phone's window before the sandbox's phone page. It blocks what a browser offers beside the page: its menu,
// its keys, selected text, dropped files, and the chooser of files, which lists the whole disk. On Linux the web view
// blocks most of it, too.
(() => {
  const stop = (event) => event.preventDefault();
  // No key with a modifier has a use on this page; Shift and Tab move the focus.
  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(F\d|Browser|ContextMenu)/.test(event.key)) stop(event);
  };
  const chooser = (event) => {
    if (event.target instanceof HTMLInputElement && event.target.type === 'file') stop(event);
  };
  const options = { capture: true, passive: false };
  addEventListener('keydown', keys, options);
  addEventListener('click', chooser, options);
  addEventListener('wheel', (event) => event.ctrlKey && stop(event), options);
  for (const kind of ['contextmenu', 'selectstart', 'dragstart', 'dragover', 'drop', 'auxclick'])
    addEventListener(kind, stop, options);
})();
