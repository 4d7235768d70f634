// Finds layout faults of the desk. Runs in the page.

/** Elements that leave the window, are clipped, overlap or are too small, and a lost focus. */
export function deskFaults(): string[] {
  const faults: string[] = [];
  const desk = document.querySelector('[data-testid=desk]');
  if (!desk) return ['the desk is not open'];
  const top = desk.querySelector('dialog[open]') ?? desk;
  const name = (el: Element) => `${el.tagName.toLowerCase()} “${(el.textContent ?? '').trim().slice(0, 40)}”`;
  const shown = (el: Element) => {
    const box = el.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && getComputedStyle(el).visibility !== 'hidden';
  };
  const scrolled = (el: Element) => {
    for (let up = el.parentElement; up && up !== desk; up = up.parentElement)
      if (/auto|scroll|hidden/.test(getComputedStyle(up).overflowY)) return true;
    return false;
  };
  for (const el of top.querySelectorAll(
    'h1, h2, h3, p, li, dt, dd, td, th, label, button, input, textarea, span',
  )) {
    if (!shown(el)) continue;
    const box = el.getBoundingClientRect();
    if (
      box.left < -1 ||
      box.right > innerWidth + 1 ||
      (!scrolled(el) && (box.top < -1 || box.bottom > innerHeight + 1))
    )
      faults.push(`${name(el)} leaves the window`);
    const style = getComputedStyle(el);
    const cut =
      style.textOverflow === 'ellipsis' || style.overflow === 'visible' || style.display === 'inline';
    if (!cut && el.scrollWidth > el.clientWidth + 1 && el.tagName !== 'TEXTAREA')
      faults.push(`${name(el)} is clipped`);
    if (el.tagName === 'BUTTON' && el.scrollWidth > el.clientWidth + 2) faults.push(`${name(el)} is clipped`);
    const tall = Math.round(box.height);
    if (/^(BUTTON|INPUT|TEXTAREA)$/.test(el.tagName) && tall < 44)
      faults.push(`${name(el)} is ${tall} px high`);
    if (el.matches('.lead-act') && (box.top < 0 || box.bottom > innerHeight))
      faults.push(`${name(el)} is below the fold`);
    const own = [...el.childNodes].some(
      (node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim(),
    );
    // Read at arm's length.
    if (
      own &&
      Number.parseFloat(style.fontSize) < 11 * Math.max(1, Math.min(innerWidth / 1920, innerHeight / 1080))
    )
      faults.push(`${name(el)} is too small (${style.fontSize})`);
  }
  // Text over text. What is scrolled out of sight or hidden covers nothing.
  const lines: { el: Element; box: DOMRect }[] = [];
  const walker = document.createTreeWalker(top, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const el = node.parentElement;
    if (!el || !node.textContent?.trim() || !shown(el) || el.closest('svg, textarea, select, .sr-only'))
      continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const { left, top: upper, right, bottom } of range.getClientRects()) {
      // Line boxes are higher than their letters.
      const inset = (bottom - upper) / 4;
      let [x0, y0, x1, y1] = [left, upper + inset, right, bottom - inset];
      for (let up: Element | null = el; up && up !== desk; up = up.parentElement) {
        const style = getComputedStyle(up);
        if (style.overflow !== 'visible') {
          const clip = up.getBoundingClientRect();
          [x0, y0] = [Math.max(x0, clip.left), Math.max(y0, clip.top)];
          [x1, y1] = [Math.min(x1, clip.right), Math.min(y1, clip.bottom)];
        }
        if (style.position === 'fixed') break;
      }
      if (x1 - x0 > 2 && y1 - y0 > 2) lines.push({ el, box: new DOMRect(x0, y0, x1 - x0, y1 - y0) });
    }
  }
  const covered = new Set<string>();
  for (const [i, one] of lines.entries()) {
    for (const other of lines.slice(i + 1)) {
      if (one.el === other.el) continue;
      const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const high = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      if (wide > 2 && high > 2) covered.add(`${name(one.el)} lies over ${name(other.el)}`);
    }
  }
  faults.push(...covered);
  for (const part of [
    'main',
    'nav',
    '[data-testid=page]',
    '[data-testid=detail]',
    '[data-testid=found]',
    '[data-testid=lines]',
  ])
    for (const el of desk.querySelectorAll(part))
      if (el.scrollWidth > el.clientWidth + 1)
        faults.push(`${part} is wider than its place (${el.scrollWidth} of ${el.clientWidth})`);
  const rows = [...top.querySelectorAll('.row, .title, .line, header')].filter(shown);
  for (const row of rows) {
    const parts = [...row.children].filter((el) => shown(el) && getComputedStyle(el).position !== 'absolute');
    for (let i = 1; i < parts.length; i += 1) {
      const [a, b] = [parts[i - 1] as Element, parts[i] as Element].map((el) =>
        el.getBoundingClientRect(),
      ) as [DOMRect, DOMRect];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 2 && high > 2)
        faults.push(`${name(parts[i - 1] as Element)} overlaps ${name(parts[i] as Element)}`);
    }
  }
  const active = document.activeElement;
  if (!active || active === document.body) faults.push('nothing has the focus');
  else if (!top.contains(active)) faults.push(`the focus is not on what lies on top: ${name(active)}`);
  return faults;
}
