//! D2 for tenants: what suspends, deletes or removes one holds on every node when it returns.

use super::{operator_on, refused, three};
use crate::fixture::{done, verify};
use claviger_app::tenants::Standing;
use claviger_domain::tenant::Kind;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_a_partner_is_suspended_everywhere_at_once() {
    let Some(super::Three { f, nodes }) = three().await else { return };
    let partner = f.tenant("Partner", Kind::Partner, f.operator.tenant().id).await;
    let org = f.tenant("Acme", Kind::Organization, partner.id).await;
    let instance = f.tenant("West", Kind::Instance, org.id).await;
    let (made, client_id) = f.application(instance.id, "Client", &[("org.audits", &["READ"])]).await;
    let secret = made.secret.text.reveal();
    for round in 0..5 {
        let asked = &nodes[round % 3];
        let operator = operator_on(&f, asked).await;
        for node in &nodes {
            assert!(verify(node, &client_id, &secret).await.is_ok(), "{round}");
        }
        done(asked.change_standing(&operator, partner.id, Standing::Suspended, None, None).await.unwrap());
        for node in &nodes {
            assert!(refused(&verify(node, &client_id, &secret).await), "{round}");
        }
        done(asked.change_standing(&operator, partner.id, Standing::Reactivated, None, None).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_is_gone_is_gone_on_every_node() {
    let Some(super::Three { f, nodes }) = three().await else { return };
    let org = f.organization("Acme").await;
    let (made, client_id) = f.application(org.id, "Client", &[("org.audits", &["READ"])]).await;
    let secret = made.secret.text.reveal();
    for node in &nodes {
        assert!(verify(node, &client_id, &secret).await.is_ok());
    }
    for standing in [Standing::Suspended, Standing::Deleted] {
        done(f.app.change_standing(&f.operator, org.id, standing, None, None).await.unwrap());
    }
    f.app.clock().advance(31 * 86_400);
    f.app.purge_tenants().await.unwrap();
    for node in &nodes[1..] {
        super::until("it follows", || async { node.find_tenant(&operator_on(&f, node).await, org.id).await.is_err() })
            .await;
        assert!(refused(&verify(node, &client_id, &secret).await));
    }
}
