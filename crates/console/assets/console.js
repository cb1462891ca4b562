// What plain links and forms cannot do: copying, what is gone when it was seen, passkeys. Every page works without this file, but
// for passkeys.
'use strict';
(() => {
  const each = (root, what, run) => {
    if (root.matches && root.matches(what)) run(root);
    root.querySelectorAll(what).forEach(run);
  };

  const told = (button, text) => {
    const before = button.dataset.label || (button.dataset.label = button.textContent);
    button.textContent = text;
    setTimeout(() => { button.textContent = before; }, 2000);
  };

  const copy = async (button) => {
    const id = button.dataset.copy;
    const source = id ? document.getElementById(id) : button.parentElement.querySelector('pre, input');
    const text = source ? ('value' in source ? source.value : source.textContent) : '';
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      if (source.select) source.select(); else getSelection().selectAllChildren(source);
      if (!document.execCommand('copy')) return told(button, 'Select and copy');
    }
    told(button, 'Copied');
  };

  // What is shown once is gone when its page is left, after five minutes, and when a browser brings the page back.
  const blank = (section) => {
    section.querySelectorAll('input').forEach((input) => { input.value = ''; });
    section.querySelectorAll('pre, code').forEach((code) => { code.textContent = ''; });
    section.replaceChildren(document.createTextNode('The secret was shown here once. It is gone.'));
  };

  const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));

  const post = async (path, body) => {
    const response = await fetch(path, {
      method: 'POST', credentials: 'same-origin',
      headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
    });
    if (response.status === 204) return null;
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.detail || 'The server refused.');
    return answer;
  };

  const passkey = async (box) => {
    const paths = box.dataset.passkey === 'step-up'
      ? ['/v1/me/step-up/passkey', '/v1/me/step-up']
      : ['/v1/sign-in/second-factor/passkey', '/v1/sign-in/second-factor'];
    const asked = await post(paths[0], {});
    const options = asked.publicKey || asked;
    options.challenge = bytes(options.challenge);
    (options.allowCredentials || []).forEach((one) => { one.id = bytes(one.id); });
    const found = await navigator.credentials.get({ publicKey: options });
    const { response } = found;
    await post(paths[1], {
      kind: 'passkey',
      credential: {
        id: found.id, rawId: base64(found.rawId), type: found.type, extensions: found.getClientExtensionResults(),
        response: {
          authenticatorData: base64(response.authenticatorData), clientDataJSON: base64(response.clientDataJSON),
          signature: base64(response.signature), userHandle: response.userHandle ? base64(response.userHandle) : null,
        },
      },
    });
    location.assign(box.dataset.next || '/console');
  };

  // Rows of a matrix that fit what is searched for; a row that is out of sight keeps its ticks.
  const matrix = (box) => {
    const tools = box.querySelector('[data-matrix-tools]');
    const words = tools.querySelector('input[type=search]');
    const ticked = tools.querySelector('[data-matrix-ticked]');
    const status = tools.querySelector('[role=status]');
    const narrow = () => {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      box.querySelectorAll('tbody').forEach((group) => {
        const [head, ...rows] = group.rows;
        let shown = 0;
        rows.forEach((row) => {
          const text = `${head.textContent} ${row.cells[0].textContent}`.toLowerCase();
          row.hidden = 'unused' in row.dataset || !wanted.every((word) => text.includes(word))
            || Boolean(ticked && ticked.checked && !row.querySelector('input:checked'));
          if (!row.hidden) shown += 1;
        });
        group.hidden = shown === 0;
        count += shown;
      });
      status.textContent = wanted.length || (ticked && ticked.checked) ? `${count} shown` : '';
    };
    tools.hidden = false;
    words.addEventListener('input', narrow);
    words.addEventListener('keydown', (event) => { if (event.key === 'Enter') event.preventDefault(); });
    if (ticked) ticked.addEventListener('change', narrow);
  };

  // The text of a file that was chosen, into the field that is sent.
  const fileInto = (box) => {
    const area = document.getElementById(box.dataset.fileInto);
    box.hidden = false;
    box.querySelector('input').addEventListener('change', async (event) => {
      const [file] = event.target.files;
      if (file && file.size <= 1000000) area.value = await file.text();
    });
  };

  const start = (root) => {
    each(root, '[data-matrix]', matrix);
    each(root, '[data-file-into]', fileInto);
    each(root, '[data-copy]', (button) => { button.hidden = false; });
    each(root, '[data-passkey]', (box) => {
      if (!window.PublicKeyCredential) return;
      box.hidden = false;
      const button = box.querySelector('button');
      const alert = box.querySelector('[role=alert]');
      button.addEventListener('click', () => {
        alert.hidden = true;
        passkey(box).catch((error) => { alert.textContent = error.message; alert.hidden = false; });
      });
    });
    each(root, '[data-from-fragment]', (field) => {
      const token = location.hash.slice(1);
      if (!token) return;
      field.querySelector('input').value = token;
      field.hidden = true;
      history.replaceState(null, '', location.pathname + location.search);
    });
    each(root, '[data-focus]', (alert) => { alert.focus(); });
    each(root, '[data-once]', (section) => {
      addEventListener('pagehide', () => blank(section));
      setTimeout(() => blank(section), 300000);
    });
  };

  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-copy]');
    if (button) copy(button);
    document.querySelectorAll('details.menu[open]').forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    document.querySelectorAll('details.menu[open]').forEach((menu) => {
      menu.open = false;
      menu.querySelector('summary').focus();
    });
  });
  addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
  document.addEventListener('DOMContentLoaded', () => start(document.body));
  document.addEventListener('htmx:afterSwap', (event) => start(event.target));
})();
