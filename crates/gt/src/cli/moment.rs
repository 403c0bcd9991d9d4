//! The grammar of what clients' hooks call.

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use gt_model::moment::{Client, Moment};

/// A moment, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MomentArg(pub Moment);

/// All of them, as clap wants them.
const MOMENTS: [MomentArg; Moment::ALL.len()] = {
    let (mut all, mut at) = ([MomentArg(Moment::Start); Moment::ALL.len()], 0);
    while at < all.len() {
        all[at] = MomentArg(Moment::ALL[at]);
        at += 1;
    }
    all
};

impl ValueEnum for MomentArg {
    fn value_variants<'a>() -> &'a [Self] {
        &MOMENTS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.as_str()))
    }
}

/// A client, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientArg(pub Client);

impl ValueEnum for ClientArg {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(Client::Claude)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.as_str()))
    }
}

// What `gt prime` is told.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct PrimeArgs {
    /// Say where each part is from, and how large it is
    #[arg(long)]
    pub explain: bool,
    /// For clients' hooks: a session starts, and says so as JSON on standard input
    #[arg(long, hide = true, requires = "client")]
    pub moment: Option<MomentArg>,
    /// For clients' hooks: which client
    #[arg(long, hide = true, requires = "moment")]
    pub client: Option<ClientArg>,
}
