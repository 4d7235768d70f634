// One Tab stop for a group of which one is chosen: Tab comes to the chosen one, arrows go on from there.

/** Which of a group's members Tab comes to. The group itself has `data-rove`, and calls `left`. */
export class Roving<T> {
  // What has the focus; until then, what is chosen is where Tab comes to.
  #on = $state.raw<{ value: T } | null>(null);
  readonly #members: () => readonly T[];
  readonly #chosen: () => T | undefined;

  constructor(members: () => readonly T[], chosen: () => T | undefined) {
    this.#members = members;
    this.#chosen = chosen;
  }

  /** The `tabindex` of a member. */
  tab(value: T): 0 | -1 {
    const members = this.#members();
    const wanted = this.#on ? this.#on.value : this.#chosen();
    const stop = members.some((one) => one === wanted) ? wanted : members[0];
    return value === stop ? 0 : -1;
  }

  /** A member has the focus. */
  entered(value: T): void {
    this.#on = { value };
  }

  /** The focus left a member, perhaps for another. */
  left = (event: FocusEvent): void => {
    const group = event.currentTarget as Element;
    if (!group.contains(event.relatedTarget as Node | null)) this.#on = null;
  };
}
