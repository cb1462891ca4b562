// What a link in a mail opens. The token stands behind #, so that it was sent to nobody yet; it leaves the address bar first, and
// is used by a POST that a person has asked for.
"use strict";
const pages = {
  "/people/invitation": { title: "Set your password", path: "/v1/invitations/accept", done: "Your password is set. You can sign in.", send: "Set password" },
  "/people/password-reset": { title: "Set a new password", path: "/v1/password-resets/complete", done: "Your new password is set. You can sign in.", send: "Set password" },
  "/people/email-change": { title: "Confirm your address", path: "/v1/email-changes/confirm", done: "This is the address you sign in with from now on.", send: "Confirm" },
};
const page = pages[location.pathname];
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
const element = (id) => document.getElementById(id);
const tell = (text) => { element("told").textContent = text; };
const asksForPassword = page.path !== "/v1/email-changes/confirm";
element("title").textContent = page.title;
element("send").textContent = page.send;
if (!asksForPassword) {
  element("password-row").remove();
  element("hint").remove();
}
if (token) {
  element("form").hidden = false;
} else {
  tell("The link is not whole. Open it from the mail once more.");
}
element("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  element("send").disabled = true;
  const body = asksForPassword ? { token, password: element("password").value } : { token };
  try {
    const answer = await fetch(page.path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (answer.ok) {
      element("form").remove();
      tell(page.done);
      return;
    }
    const problem = await answer.json();
    const error = (problem.errors || [])[0];
    tell(error ? `${error.message}: ${error.fix}.` : problem.detail);
  } catch {
    tell("The server does not answer. Try again.");
  }
  element("send").disabled = false;
});
