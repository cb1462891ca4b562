//! The `oauth2` crate as a client: unchanged, with nothing but our URLs.

use super::{verify, whoami};
use crate::fixture::{Client, Fixture, on_both};
use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, IntrospectionUrl, RequestTokenError, RevocationUrl,
    Scope, StandardRevocableToken, TokenIntrospectionResponse as _, TokenResponse as _, TokenUrl,
};
use serde_json::json;
use std::sync::Arc;

on_both![the_oauth2_crate_exchanges_introspects_and_revokes];

/// Sends what the crate has made, with the client of our tests. The crate revokes over TLS alone; our servers do without here.
async fn send(http: reqwest::Client, mut request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let plain = request.uri().to_string().replacen("https://", "http://", 1);
    *request.uri_mut() = plain.parse().unwrap();
    let answer = http.execute(request.try_into()?).await?;
    let mut response = HttpResponse::new(Vec::new());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = answer.bytes().await?.to_vec();
    Ok(response)
}

async fn the_oauth2_crate_exchanges_introspects_and_revokes(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let grants = json!({"org.audits": ["READ"], "applications": ["READ"]});
    let (id, Client { http, base, client_id, secret }) = f.application(&org, "SIEM", grants).await;
    let caller = f.client(&client_id, &secret);
    let at = |path: &str| format!("{base}{path}");
    let send = |request| send(http.clone(), request);
    for how in [AuthType::BasicAuth, AuthType::RequestBody] {
        let client = BasicClient::new(ClientId::new(client_id.clone()))
            .set_client_secret(ClientSecret::new(secret.clone()))
            .set_auth_type(how)
            .set_token_uri(TokenUrl::new(at("/oauth2/token")).unwrap())
            .set_introspection_url(IntrospectionUrl::new(at("/oauth2/introspect")).unwrap())
            .set_revocation_url(RevocationUrl::new(at("/oauth2/revoke").replacen("http://", "https://", 1)).unwrap());
        let scope = || Scope::new("org.audits:READ".into());
        let token = client.exchange_client_credentials().add_scope(scope()).request_async(&send).await.unwrap();
        assert_eq!(
            (token.scopes().map(Vec::as_slice), token.expires_in().unwrap().as_secs()),
            (Some(&[scope()][..]), 900)
        );
        let text = token.access_token().secret();
        assert_eq!(whoami(&caller, text).await.expect(200)["application_id"], id.as_str());
        assert_eq!(
            (verify(&caller, "org.audits:READ", text).await, verify(&caller, "applications:READ", text).await),
            (204, 403)
        );
        let found = client.introspect(token.access_token()).request_async(&send).await.unwrap();
        assert!(found.active() && found.client_id().is_some_and(|found| found.as_str() == client_id));
        let revocable = StandardRevocableToken::AccessToken(token.access_token().clone());
        client.revoke_token(revocable).unwrap().request_async(&send).await.unwrap();
        assert!(!client.introspect(token.access_token()).request_async(&send).await.unwrap().active());
        let wider = client.exchange_client_credentials().add_scope(Scope::new("org.alerts:READ".into()));
        let Err(RequestTokenError::ServerResponse(refused)) = wider.request_async(&send).await else {
            panic!("a wider scope was granted")
        };
        assert_eq!(*refused.error(), BasicErrorResponseType::InvalidScope);
    }
}
