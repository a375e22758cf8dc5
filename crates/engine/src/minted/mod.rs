//! Credentials whose token is made here: signed for a while, or signed and given for another, and kept until shortly
//! before it ends. The key itself is opened for each making and kept nowhere.
//!
//! Must not know who asks.

mod exchange;
mod recipe;

use std::collections::HashMap;
use std::sync::Arc;

use claviger_model::{CredentialId, Timestamp};
use claviger_oauth::http::Http;
use claviger_oauth::{Endpoint, Reach};
use claviger_proxy::ports::{InForce, MaterialUnavailable, Opened, Term};
use claviger_secret::{Field, Material, Secret};
use claviger_vault::{MaterialOpener, SealedMaterial};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::error::EngineError;
use crate::live::wall_clock;
use recipe::Recipe;

/// A token is not used in its last part: a fifth of its life, a minute at most.
const LAST_PART: i64 = 5;
const LONGEST_LAST_PART: i64 = 60_000;
/// A token that is refused this soon after it was made is not made anew: the next would be refused as well.
const FRESH: i64 = 10_000;
/// After a failure nothing is asked for so long.
const PAUSE: i64 = 5_000;
const PAUSE_AFTER_REFUSAL: i64 = 60_000;

/// All credentials of this kind, by id.
pub(crate) type Mints = HashMap<CredentialId, Arc<Mint>>;

/// One credential whose token is made here.
pub(crate) struct Mint {
    sealed: SealedMaterial,
    opener: MaterialOpener,
    http: Arc<dyn Http>,
    reach: Reach,
    state: Mutex<State>,
    /// One exchange at a time, whatever the load.
    exchanging: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    issued: Option<Issued>,
    terms: u64,
    /// Nothing is asked before this moment, and why.
    pause: Option<(Timestamp, MaterialUnavailable)>,
}

struct Issued {
    token: Arc<Secret>,
    made_at: Timestamp,
    ends_at: Timestamp,
    term: u64,
}

/// Refuses a document that could not be used for a service that lives at these addresses.
pub(crate) fn check(document: &Material, reach: Reach) -> Result<(), EngineError> {
    let document =
        document.field(Field::Key).ok_or_else(|| EngineError::Invalid("the secret is empty".into()))?;
    let recipe = Recipe::read(document)?;
    if let Some(exchange) = &recipe.exchange {
        Endpoint::parse(&exchange.url(), reach)
            .map_err(|why| EngineError::Invalid(format!("the exchange's URL is not accepted: {why}")))?;
    }
    recipe.mint(wall_clock()).map(|_| ())
}

// === impl Mint ===

impl Mint {
    pub(crate) fn new(
        sealed: SealedMaterial,
        opener: MaterialOpener,
        http: Arc<dyn Http>,
        reach: Reach,
    ) -> Self {
        let (state, exchanging) = (Mutex::default(), tokio::sync::Mutex::new(()));
        Self { sealed, opener, http, reach, state, exchanging }
    }

    /// Whether it is made of this very material.
    pub(crate) fn is_of(&self, sealed: &SealedMaterial) -> bool {
        self.sealed.version() == sealed.version()
    }

    /// The token in force, or one that is made now.
    pub(crate) fn open(self: &Arc<Self>) -> Result<Opened, MaterialUnavailable> {
        let now = wall_clock();
        if let Some(in_force) = self.in_force(now) {
            return Ok(Opened::Now(in_force));
        }
        self.may_ask(now)?;
        let recipe = self.recipe()?;
        if recipe.exchange.is_none() {
            let (token, ends_at) = recipe.mint(now).map_err(|_| MaterialUnavailable::Unreadable)?;
            return Ok(Opened::Now(self.issue(token, now, ends_at)));
        }
        drop(recipe);
        let (done, answer) = oneshot::channel();
        let mint = Arc::clone(self);
        // It goes on whether or not the request is still there; the next one finds the token.
        tokio::spawn(async move {
            let _ = done.send(mint.exchange().await);
        });
        Ok(Opened::Later(answer))
    }

    /// The service refused the token of this term.
    pub(crate) fn refused(self: &Arc<Self>, term: Term) -> Result<Opened, MaterialUnavailable> {
        {
            let mut state = self.state.lock();
            let is_it = state.issued.as_ref().filter(|issued| issued.term == term.0);
            match is_it.map(|issued| wall_clock().0 - issued.made_at.0) {
                Some(age) if (0..FRESH).contains(&age) => return Err(MaterialUnavailable::Passing(1_000)),
                Some(_) => state.issued = None,
                None => {}
            }
        }
        self.open()
    }

    async fn exchange(&self) -> Result<InForce, MaterialUnavailable> {
        let _one = self.exchanging.lock().await;
        let now = wall_clock();
        // Whoever was first may have brought it.
        if let Some(in_force) = self.in_force(now) {
            return Ok(in_force);
        }
        self.may_ask(now)?;
        let recipe = self.recipe()?;
        let (assertion, _) = recipe.mint(now).map_err(|_| MaterialUnavailable::Unreadable)?;
        let exchange = recipe.exchange.clone().ok_or(MaterialUnavailable::Unreadable)?;
        drop(recipe);
        match exchange::ask(&self.http, self.reach, &exchange, assertion, now).await {
            Ok((token, ends_at)) => Ok(self.issue(token, now, ends_at)),
            Err(failure) => {
                tracing::warn!(credential = %self.sealed.credential(), %failure, "no token for a credential");
                let (unavailable, pause) = match failure.is_passing() {
                    true => (MaterialUnavailable::Passing(PAUSE), PAUSE),
                    false => (MaterialUnavailable::Ended, PAUSE_AFTER_REFUSAL),
                };
                self.state.lock().pause = Some((Timestamp(now.0.saturating_add(pause)), unavailable));
                Err(unavailable)
            }
        }
    }

    fn in_force(&self, now: Timestamp) -> Option<InForce> {
        let state = self.state.lock();
        let issued = state.issued.as_ref()?;
        let last = ((issued.ends_at.0 - issued.made_at.0) / LAST_PART).clamp(0, LONGEST_LAST_PART);
        // A clock that was set back makes no token older than it is.
        let is_good = now >= issued.made_at && now.0 < issued.ends_at.0 - last;
        is_good.then(|| InForce {
            material: Material::key(issued.token.duplicate()),
            term: Some(Term(issued.term)),
        })
    }

    fn may_ask(&self, now: Timestamp) -> Result<(), MaterialUnavailable> {
        match self.state.lock().pause {
            Some((until, unavailable)) if now < until => Err(unavailable),
            _ => Ok(()),
        }
    }

    fn issue(&self, token: Secret, made_at: Timestamp, ends_at: Timestamp) -> InForce {
        let mut state = self.state.lock();
        state.terms += 1;
        state.pause = None;
        let term = state.terms;
        let material = Material::key(token.duplicate());
        state.issued = Some(Issued { token: Arc::new(token), made_at, ends_at, term });
        InForce { material, term: Some(Term(term)) }
    }

    fn recipe(&self) -> Result<Recipe, MaterialUnavailable> {
        let material = self.opener.open(&self.sealed).map_err(|_| match self.opener.is_dead() {
            true => MaterialUnavailable::Locked,
            false => MaterialUnavailable::Unreadable,
        })?;
        let document = material.field(Field::Key).ok_or(MaterialUnavailable::Unreadable)?;
        Recipe::read(document).map_err(|_| MaterialUnavailable::Unreadable)
    }
}
