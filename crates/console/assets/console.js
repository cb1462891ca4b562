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
    const gone = document.createElement('p');
    const stored = section.querySelector('[data-stored]');
    gone.textContent = 'The secret was shown here once. It is gone. ';
    if (stored) {
      const link = document.createElement('a');
      link.href = stored.href;
      link.textContent = 'Go on';
      gone.append(link);
    }
    section.replaceChildren(gone);
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
    const used = tools.querySelector('[data-matrix-used]');
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
            || Boolean(ticked && ticked.checked && !row.querySelector('input:checked'))
            || Boolean(used && used.checked && !('used' in row.dataset));
          if (!row.hidden) shown += 1;
        });
        group.hidden = shown === 0;
        count += shown;
      });
      status.textContent = wanted.length || [ticked, used].some((one) => one && one.checked) ? `${count} shown` : '';
    };
    tools.hidden = false;
    words.addEventListener('input', narrow);
    words.addEventListener('keydown', (event) => { if (event.key === 'Enter') event.preventDefault(); });
    [ticked, used].forEach((one) => { if (one) one.addEventListener('change', narrow); });
  };

  // Of a long list of boxes or options, those that fit what is searched for; one that is out of sight stays ticked or chosen.
  const ticks = (tools) => {
    const [words, status] = [tools.querySelector('input'), tools.querySelector('[role=status]')];
    const list = document.getElementById(tools.dataset.ticks);
    const options = [...list.querySelectorAll('option')].filter((option) => option.value);
    const rows = options.length ? options : [...list.children];
    tools.hidden = false;
    words.addEventListener('keydown', (event) => { if (event.key === 'Enter') event.preventDefault(); });
    words.addEventListener('input', () => {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row) => { row.hidden = !wanted.every((word) => row.textContent.toLowerCase().includes(word)); });
      // Of several fields with the same options those of one are counted.
      const shown = new Set(rows.filter((row) => !row.hidden).map((row) => row.value || row));
      status.textContent = wanted.length ? `${shown.size} shown` : '';
    });
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

  const download = (button) => {
    const value = (id) => document.getElementById(id).value;
    const found = { url: button.dataset.url, client_id: value('client_id'), secret: value('secret') };
    const json = button.dataset.download === 'json';
    const text = json
      ? `${JSON.stringify(found, null, 2)}\n`
      : `CLAVIGER_URL=${found.url}\nCLAVIGER_CLIENT_ID=${found.client_id}\nCLAVIGER_SECRET=${found.secret}\n`;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type: json ? 'application/json' : 'text/plain' }));
    link.download = `${button.dataset.name.replaceAll(/[^A-Za-z0-9_-]+/g, '-') || 'application'}.${json ? 'json' : 'env'}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  // The browser's answer goes with the form, so that what it brings along is shown as any page is.
  const newPasskey = async (form) => {
    const asked = await post('/v1/me/factors/passkeys/begin', {});
    const options = asked.publicKey || asked;
    options.challenge = bytes(options.challenge);
    options.user.id = bytes(options.user.id);
    (options.excludeCredentials || []).forEach((one) => { one.id = bytes(one.id); });
    const made = await navigator.credentials.create({ publicKey: options });
    const { response } = made;
    form.elements.credential.value = JSON.stringify({
      id: made.id, rawId: base64(made.rawId), type: made.type, extensions: made.getClientExtensionResults(),
      response: {
        attestationObject: base64(response.attestationObject), clientDataJSON: base64(response.clientDataJSON),
        transports: response.getTransports ? response.getTransports() : null,
      },
    });
    form.submit();
  };

  const start = (root) => {
    each(root, '[data-matrix]', matrix);
    each(root, '[data-ticks]', ticks);
    each(root, '[data-file-into]', fileInto);
    each(root, '[data-copy], [data-script], [data-add-line]', (found) => { found.hidden = false; });
    each(root, '[data-add-line]', (button) => button.addEventListener('click', () => {
      const area = document.getElementById(button.dataset.addLine);
      const lines = area.value.split('\n').map((line) => line.trim()).filter(Boolean);
      if (!lines.includes(button.dataset.line)) lines.push(button.dataset.line);
      area.value = lines.join('\n');
      const tick = document.getElementById(button.dataset.tick);
      if (tick) tick.checked = true;
    }));
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
    each(root, '[data-new-passkey]', (form) => {
      if (!window.PublicKeyCredential) return;
      form.hidden = false;
      const alert = form.querySelector('[role=alert]');
      const begin = () => {
        alert.hidden = true;
        newPasskey(form).catch((error) => { alert.textContent = error.message; alert.hidden = false; });
      };
      form.querySelector('button').addEventListener('click', begin);
      form.addEventListener('submit', (event) => { event.preventDefault(); begin(); });
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
      const ask = (event) => { event.preventDefault(); };
      addEventListener('beforeunload', ask);
      addEventListener('pagehide', () => blank(section));
      setTimeout(() => { removeEventListener('beforeunload', ask); blank(section); }, 300000);
      const stored = section.querySelector('[data-stored]');
      // A reload asks for the page that comes next, and sends nothing again.
      history.replaceState(null, '', stored.href);
      // Replaced, so that going back does not come by here.
      stored.addEventListener('click', (event) => {
        event.preventDefault();
        removeEventListener('beforeunload', ask);
        location.replace(stored.href);
      });
    });
  };

  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-copy]');
    if (button) copy(button);
    const saved = event.target.closest('[data-download]');
    if (saved) download(saved);
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
  addEventListener('pageshow', (event) => {
    // What a browser has kept is old; but a page that has shown a secret is blank, and must not be asked for again.
    if (event.persisted && !document.querySelector('[data-once]')) location.reload();
  });
  // On a phone the menu would be half of the page; without script it is there, open.
  const narrow = matchMedia('(max-width: 52rem)');
  const fold = () => document.querySelectorAll('details.side').forEach((side) => { side.open = !narrow.matches; });
  narrow.addEventListener('change', fold);
  document.addEventListener('DOMContentLoaded', fold);
  document.addEventListener('DOMContentLoaded', () => start(document.body));
  document.addEventListener('htmx:afterSwap', (event) => start(event.target));
})();
