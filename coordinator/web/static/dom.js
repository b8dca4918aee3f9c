// Building and updating the document. Text only ever enters as text nodes or attributes, never as markup, so that file
// names and cells need no escaping anywhere else.

/** h makes an element: props are attributes, `on*` listeners, and `class`; children are nodes, texts, lists or null. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** svg is h for SVG elements. */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);
}

function fill(el, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value === true ? '' : value);
  }
  el.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

/** text sets an element's text if it differs, so that selections and screen readers are left alone otherwise. */
export function text(el, value) {
  if (el.textContent !== value) el.textContent = value;
}

/** attr sets or (null) removes an attribute if it differs. */
export function attr(el, name, value) {
  if (value === null || value === undefined || value === false) el.removeAttribute(name);
  else if (el.getAttribute(name) !== String(value)) el.setAttribute(name, value);
}

/** show replaces an element's children. */
export function show(el, ...children) {
  el.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

/**
 * keyed makes the children of parent those of items, in order, and keeps an item's element from call to call.
 * create(item) returns {el, update(item)}; update is called for new ones as well. Elements that stay in place are not
 * touched, so that focus and scroll positions survive. It returns a function to call with each new list.
 */
export function keyed(parent, key, create) {
  const known = new Map();
  return (items) => {
    const wanted = new Map(items.map((item) => [key(item), item]));
    for (const [k, part] of known) {
      if (wanted.has(k)) continue;
      known.delete(k);
      part.el.remove();
    }
    let at = parent.firstChild;
    for (const [k, item] of wanted) {
      let part = known.get(k);
      if (!part) known.set(k, part = create(item));
      part.update(item);
      if (part.el === at) at = at.nextSibling;
      else parent.insertBefore(part.el, at);
    }
  };
}

/** say tells screen readers something, politely. */
export function say(message) {
  text(document.getElementById('say'), message);
}

/** save offers text to the user as a file. */
export function save(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** copy puts text on the clipboard; false where the browser refuses. Plain-http pages lack the modern way. */
export async function copy(content) {
  try {
    await navigator.clipboard.writeText(content);
    return true;
  } catch {
    const area = h('textarea', { class: 'unseen', 'aria-hidden': 'true' });
    area.value = content;
    document.body.append(area);
    const before = document.activeElement;
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    before?.focus();
    return done;
  }
}

/** ask shows a dialog and resolves to whether the user agreed. body may hold controls. */
export function ask({ title, body, yes, no = 'Back', danger = false }) {
  return new Promise((resolve) => {
    const dialog = h('dialog', { 'aria-labelledby': 'ask' },
      h('h2', { id: 'ask' }, title), body,
      h('div', { class: 'row' },
        h('button', { class: 'button', type: 'button', autofocus: true, onclick: () => dialog.close() }, no),
        h('button', { class: danger ? 'button danger' : 'button main', type: 'button', onclick: () => dialog.close('yes') }, yes)));
    dialog.addEventListener('close', () => { dialog.remove(); resolve(dialog.returnValue === 'yes'); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
