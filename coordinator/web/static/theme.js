// The theme: what the system prefers, unless the user chose otherwise. A classic script in the head, so that the page is
// never painted in the wrong colours first.
(() => {
  const root = document.documentElement;
  const key = 'colsum.theme';
  let chosen = 'system';
  try { chosen = localStorage.getItem(key) || 'system'; } catch { /* storage is forbidden: the choice lasts a visit */ }

  const apply = () => {
    if (chosen === 'system') delete root.dataset.theme;
    else root.dataset.theme = chosen;
  };
  apply();

  window.theme = {
    get chosen() { return chosen; },
    /** next goes on to the next of system, light, dark and remembers it. */
    next() {
      chosen = { system: 'light', light: 'dark', dark: 'system' }[chosen] || 'system';
      try { localStorage.setItem(key, chosen); } catch { /* as above */ }
      apply();
      return chosen;
    },
  };
})();
