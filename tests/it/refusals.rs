//! Every way to be refused, each with a twin that is just accepted, against a running gateway.

use crate::world::World;
use oncegate::program::demo::CASES;

/// None is answered with 500, none stops the gateway, each leaves a record; the table is printed.
#[test]
fn each_bad_input_gets_its_code_and_its_twin_passes() {
    let world = World::start();
    let mut wrong = Vec::new();
    println!("{:<44} {:<12} {:<6} {:<9} {:<13} twin", "case", "code", "status", "blame", "retry");
    for case in CASES {
        let verdict = world.block_on(case.run(world.demo())).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let (bad, problem) = (&verdict.bad, &verdict.bad.problem);
        println!(
            "{:<44} {:<12} {:<6} {:<9} {:<13} {}",
            case.name, problem.code, bad.status, problem.blame, problem.retry, verdict.twin.status
        );
        if !verdict.is_right(case) {
            wrong.push(format!("{}: expected {}, got {:?}; twin {:?}", case.name, case.code, verdict.bad, verdict.twin));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}
