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
