//! The grammar of what clients' hooks call.

use std::str::FromStr;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use gt_model::clients::Client;
use gt_model::moment::Moment;

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

impl FromStr for ClientArg {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Client::parse(word).map(Self).ok_or_else(|| "gt has no adapter for this client".to_owned())
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
