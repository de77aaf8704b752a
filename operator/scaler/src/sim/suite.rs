//! The curves of the score, for tuning and held out.

use super::curves;
use super::scenario::Scenario;
use crate::Assignor;

/// What constants were chosen on.
pub fn tuning() -> Vec<Scenario> {
    [tuning_loads(), tuning_groups()].concat()
}

/// Other shapes and seeds, never looked at while constants were chosen.
pub fn held_out() -> Vec<Scenario> {
    let all = [held_out_loads(), held_out_groups()].concat();
    all.into_iter()
        .map(|scenario| Scenario {
            held_out: true,
            ..scenario
        })
        .collect()
}

fn tuning_loads() -> Vec<Scenario> {
    let plain = Scenario::new;
    vec![
        plain("steady", 11, curves::flat(3_600, 330.0)),
        plain(
            "steps",
            12,
            curves::steps(&[(900, 120.0), (1_800, 480.0), (900, 950.0), (1_800, 250.0)]),
        ),
        plain(
            "steps, eager range",
            13,
            curves::steps(&[(900, 80.0), (1_800, 520.0), (1_800, 150.0)]),
        )
        .eager(Assignor::Range),
        plain(
            "ramps",
            14,
            curves::ramps(
                50.0,
                &[(1_800, 900.0), (1_200, 900.0), (1_800, 50.0), (900, 50.0)],
            ),
        ),
        plain(
            "bursts of a minute every ten",
            15,
            curves::bursts(7_200, 90.0, 900.0, 600, 60),
        ),
        plain(
            "bursts at random",
            16,
            curves::random_bursts(10_800, 150.0, 1_000.0, 161),
        ),
        plain("a day", 17, curves::day(60.0, 700.0, 14, 171)),
        plain(
            "a day in an office (recorded shape)",
            18,
            curves::office(800.0),
        ),
        plain(
            "batches by the hour (recorded shape)",
            19,
            curves::batch(14_400, 5.0, 1_500.0),
        ),
    ]
}

fn tuning_groups() -> Vec<Scenario> {
    let plain = Scenario::new;
    vec![
        Scenario {
            slow: Some((1_200, 0.45)),
            ..plain("slow consumer", 20, curves::flat(5_400, 300.0))
        },
        plain(
            "hot partition",
            21,
            curves::steps(&[(600, 60.0), (1_800, 400.0), (1_200, 60.0)]),
        )
        .hot(3, 5.0),
        plain(
            "one partition just too hot",
            26,
            curves::steps(&[(700, 90.0), (1_500, 430.0), (1_500, 90.0)]),
        )
        .hot(5, 3.6),
        plain(
            "two partitions hotter than the rest",
            27,
            curves::steps(&[(800, 90.0), (2_000, 480.0), (1_500, 70.0)]),
        )
        .hot(1, 2.6)
        .hot(9, 3.7),
        Scenario {
            stuck: Some((900, 1_800)),
            ..plain("stuck consumer", 22, curves::flat(4_500, 260.0))
        },
        Scenario {
            downstream: Some(320.0),
            ..plain(
                "downstream bound",
                23,
                curves::steps(&[(900, 150.0), (1_200, 420.0), (2_400, 120.0)]),
            )
        },
        Scenario {
            downstream: Some(200.0),
            ..plain(
                "sudden load, downstream bound",
                28,
                curves::steps(&[(600, 20.0), (1_500, 400.0), (2_400, 60.0)]),
            )
        },
        plain(
            "two topics, range",
            24,
            curves::steps(&[(900, 150.0), (1_800, 520.0), (1_800, 100.0)]),
        )
        .topics(vec![6, 6])
        .eager(Assignor::Range),
        Scenario {
            min: 0,
            ..plain(
                "from zero and back",
                25,
                curves::steps(&[
                    (600, 0.0),
                    (900, 350.0),
                    (1_500, 0.0),
                    (300, 20.0),
                    (1_500, 0.0),
                ]),
            )
        },
    ]
}

fn held_out_loads() -> Vec<Scenario> {
    let plain = Scenario::new;
    vec![
        plain("steady and low", 51, curves::flat(3_600, 40.0)),
        plain(
            "stairs",
            52,
            curves::steps(&[
                (700, 100.0),
                (700, 260.0),
                (700, 420.0),
                (700, 640.0),
                (700, 380.0),
                (700, 180.0),
                (1_400, 60.0),
            ]),
        ),
        plain(
            "saw",
            53,
            curves::ramps(
                100.0,
                &[
                    (1_200, 800.0),
                    (60, 100.0),
                    (1_200, 800.0),
                    (60, 100.0),
                    (1_200, 100.0),
                ],
            ),
        ),
        plain(
            "bursts every twenty-five minutes",
            54,
            curves::bursts(9_000, 140.0, 760.0, 1_500, 150),
        ),
        plain(
            "bursts at random, round robin",
            55,
            curves::random_bursts(10_800, 100.0, 800.0, 551),
        )
        .eager(Assignor::RoundRobin),
        plain("another day", 56, curves::day(30.0, 900.0, 25, 561)),
        plain("a match (recorded shape)", 57, curves::game(900.0)),
        plain("a sale (recorded shape)", 58, curves::sale(80.0, 1_000.0)),
        plain(
            "devices by the quarter (recorded shape)",
            59,
            curves::reports(10_800, 40.0, 600.0),
        ),
    ]
}

fn held_out_groups() -> Vec<Scenario> {
    let plain = Scenario::new;
    vec![
        Scenario {
            slow: Some((1_500, 0.6)),
            ..plain(
                "slow consumer on a ramp",
                60,
                curves::ramps(100.0, &[(2_400, 450.0), (2_400, 450.0)]),
            )
        },
        plain(
            "two hot partitions",
            61,
            curves::steps(&[(900, 100.0), (2_400, 450.0), (1_200, 80.0)]),
        )
        .hot(2, 3.0)
        .hot(7, 4.0),
        Scenario {
            stuck: Some((1_000, 1_500)),
            ..plain(
                "stuck consumer under a step",
                62,
                curves::steps(&[(800, 150.0), (1_500, 380.0), (1_500, 150.0)]),
            )
        },
        Scenario {
            downstream: Some(240.0),
            ..plain(
                "downstream bound for long",
                63,
                curves::steps(&[(600, 100.0), (2_400, 300.0), (3_600, 80.0)]),
            )
        },
        Scenario {
            downstream: Some(260.0),
            ..plain(
                "sudden ramp, downstream bound",
                67,
                curves::steps(&[(400, 10.0), (60, 150.0), (2_000, 500.0), (3_600, 100.0)]),
            )
        },
        Scenario {
            slow: Some((610, 0.3)),
            ..plain(
                "slow from a sudden load on",
                68,
                curves::steps(&[(600, 40.0), (1_500, 300.0), (1_800, 40.0)]),
            )
        },
        plain(
            "three topics, range",
            64,
            curves::steps(&[(900, 100.0), (1_800, 450.0), (1_800, 120.0)]),
        )
        .topics(vec![4, 4, 4])
        .eager(Assignor::Range),
        Scenario {
            min: 0,
            ..plain(
                "seldom anything",
                65,
                curves::bursts(10_800, 0.0, 60.0, 2_700, 120),
            )
        },
    ]
}
