//! Measures.
#![allow(clippy::all, clippy::disallowed_methods, clippy::print_stdout, missing_docs)]
use gt_town::ledger::*;
use gt_town::world::real::RealWorld;
use std::sync::Arc;
struct Instant(f64);
impl Instant {
    fn now() -> Self {
        Instant(cpu())
    }
    fn elapsed(&self) -> String {
        format!("{:.2} ms cpu", (cpu() - self.0) * 1000.0)
    }
}
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    s.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}
fn rss() -> String {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    s.lines().find(|l| l.starts_with("VmHWM")).unwrap().to_owned()
}
fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let dir = std::path::PathBuf::from(std::env::args().nth(2).unwrap());
    let chain = std::env::args().nth(3).is_some();
    let t = Instant::now();
    let text = gt_testkit::ledger::jsonl(gt_testkit::ledger::Shape { beads: n, dependencies: n * 3 / 2, chain });
    println!("generate {} {} MB", t.elapsed(), text.len() / 1_000_000);
    let t = Instant::now();
    let mut c = 0;
    for r in gt_model::jsonl::records(text.as_bytes()) {
        r.unwrap();
        c += 1;
    }
    println!("parse {c} {} {}", t.elapsed(), rss());
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let world: Arc<dyn gt_town::world::World> = Arc::new(RealWorld::new(dir.join("gt")));
    let ledger = Ledger::create(&dir.join("beads.db"), world).unwrap();
    let t = Instant::now();
    gt_town::port::import_into(&ledger, "x", text.as_bytes(), false).unwrap();
    println!("import {} {}", t.elapsed(), rss());
    let t = Instant::now();
    let out = ledger.read(|v| gt_town::port::export(v, &Default::default())).unwrap();
    println!("export {} same={} {}", t.elapsed(), out == text, rss());
    let now: jiff::Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let time = |what: &str, f: &mut dyn FnMut() -> usize| {
        f();
        let t = Instant::now();
        let k = f();
        println!("{what} {k} {}", t.elapsed());
    };
    time("ready 10", &mut || ledger.read(|v| v.ready(now, None, Some(10))).unwrap().len());
    time("ready 10 vt", &mut || ledger.read(|v| v.ready(now, Some("vt"), Some(10))).unwrap().len());
    time("ready all", &mut || ledger.read(|v| v.ready(now, None, None)).unwrap().len());
    time("count ready", &mut || ledger.read(|v| v.count_ready(now, None)).unwrap() as usize);
    time("blocked 10", &mut || {
        ledger.read(|v| v.blocked(&BeadFilter { limit: Some(10), ..Default::default() })).unwrap().len()
    });
    time("list 10000", &mut || {
        ledger.read(|v| v.beads(&BeadFilter { limit: Some(10_000), all: true, ..Default::default() })).unwrap().len()
    });
    time("search", &mut || {
        ledger
            .read(|v| v.search("parser timeout", &BeadFilter { all: true, limit: Some(20), ..Default::default() }))
            .unwrap()
            .len()
    });
    time("search rare", &mut || {
        ledger
            .read(|v| v.search("login2997 slow", &BeadFilter { all: true, limit: Some(20), ..Default::default() }))
            .unwrap()
            .len()
    });
    time("stats", &mut || ledger.read(|v| v.statistics(now)).unwrap().total as usize);
    time("cycles", &mut || ledger.read(|v| v.cycles()).unwrap().len());
    time("tree", &mut || {
        ledger.read(|v| v.tree(&gt_testkit::ledger::id(n - 1).into(), Direction::Down, usize::MAX)).unwrap().len()
    });
    time("path", &mut || {
        ledger
            .read(|v| v.holding_path(&gt_testkit::ledger::id(n - 1).into(), &gt_testkit::ledger::id(0).into()))
            .unwrap()
            .map_or(0, |p| p.len())
    });
    let change = |id: usize, status: &str| {
        let t = Instant::now();
        ledger
            .write("x", "change", |tx| -> LedgerResult<()> {
                let before = tx.bead(&gt_testkit::ledger::id(id).into())?.unwrap();
                let mut after = before.clone();
                after.status = gt_model::bead::Status::from(status);
                tx.change_bead("x", &before, &after)
            })
            .unwrap();
        println!("change {id} {status} {}", t.elapsed());
    };
    for id in [0, 1, n / 2, n - 1] {
        change(id, "closed");
        change(id, "open");
        change(id, "deferred");
    }
}
