// openid-client from npm, unchanged, on its way through a session token's life. Its one argument is JSON; what it prints, too.
import * as client from "openid-client";

const { issuer, clientId, clientSecret, method, scope } = JSON.parse(process.argv[2]);
const authentication = {
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
}[method](clientSecret);

const configuration = await client.discovery(new URL(issuer), clientId, undefined, authentication, {
  algorithm: "oauth2",
});

async function life() {
  const { access_token: token, token_type, scope: granted } = await client.clientCredentialsGrant(configuration, { scope });
  const ask = () => client.fetchProtectedResource(configuration, token, new URL("/v1/whoami", issuer), "GET");
  const me = await (await ask()).json();
  const before = await client.tokenIntrospection(configuration, token);
  await client.tokenRevocation(configuration, token);
  const after = await client.tokenIntrospection(configuration, token);
  const revoked = await ask().then((answer) => answer.status, (error) => error.status ?? error.response?.status);
  return { token_type, scope: granted, me, before, after, revoked };
}

const told = await life().catch(({ error, status, message }) => ({ error, status, message }));
console.log(JSON.stringify(told));
