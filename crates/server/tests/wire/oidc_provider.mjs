// oidc-provider from npm, unchanged: a certified OpenID Connect provider with the pages to sign in that it brings along. Its one
// argument is JSON; it prints a line when it listens.
import Provider from "oidc-provider";

const { port, redirectUri, accounts, fullIdTokens, clients } = JSON.parse(process.argv[2]);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: clients.map((client) => ({ ...client, redirect_uris: [redirectUri], response_types: ["code"], grant_types: ["authorization_code"] })),
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["given_name", "family_name"], groups: ["groups"] },
  scopes: ["openid", "email", "profile", "groups"],
  // By the letter of the specification what scopes ask for is told at the userinfo endpoint; most put it into the ID token.
  conformIdTokenClaims: !fullIdTokens,
  cookies: { keys: ["only for tests"] },
  pkce: { required: () => true },
  findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
});

provider.listen(port, "127.0.0.1", () => console.log("listening"));
