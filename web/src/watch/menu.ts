// A menu of which one item is chosen: a button that opens it, and the keys that people expect (ARIA Authoring Practices, menu button).

export interface Item {
  words: string;
  chosen: boolean;
  choose(): void;
}

/** Lets `button` open `menu`, whose items are asked for each time. */
export function menuButton(button: HTMLElement, menu: HTMLElement, items: () => Item[]): void {
  const options = () => [...menu.querySelectorAll<HTMLElement>('[role=menuitemradio]')];
  const close = (back: boolean) => {
    menu.hidden = true;
    button.setAttribute('aria-expanded', 'false');
    if (back) button.focus();
  };
  // Keys go on from the button. After a press by pointer they are the player's: Space would open the menu again.
  const leave = (press: MouseEvent) => {
    const byPointer = press.detail > 0;
    close(!byPointer);
    if (byPointer) (document.activeElement as HTMLElement | null)?.blur();
  };
  const open = () => {
    menu.replaceChildren(...items().map((item) => option(item, leave)));
    menu.hidden = false;
    button.setAttribute('aria-expanded', 'true');
    (options().find((o) => o.ariaChecked === 'true') ?? options()[0])?.focus();
  };
  button.addEventListener('click', (press) => (menu.hidden ? open() : leave(press)));
  menu.addEventListener('keydown', (event) => {
    const all = options();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === 'Escape') close(true);
    else if (event.key === 'Tab') return close(false);
    else if (to !== undefined) all.at(to % all.length)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  menu.addEventListener('focusout', (event) => {
    const to = event.relatedTarget as Node | null;
    if (!menu.hidden && !menu.contains(to) && to !== button) close(false);
  });
}

function option(item: Item, done: (press: MouseEvent) => void): HTMLElement {
  const button = document.createElement('button');
  Object.assign(button, { type: 'button', role: 'menuitemradio', ariaChecked: String(item.chosen), textContent: item.words, tabIndex: -1 });
  button.addEventListener('click', (press) => {
    item.choose();
    done(press);
  });
  return button;
}
