//! Where commands are not taken, requests wait and happenings do not: whoever is to take the commands may itself be waiting to be
//! heard.

use crate::harness::Harness;
use footlight_control::{Command, Event};

/// What fits on its way and with the owner, and more.
const COMMANDS: usize = 200;

#[tokio::test]
async fn happenings_are_heard_and_every_command_comes_in_order() {
    let mut h = Harness::new().await;
    h.control.ensure_room("r1").await.unwrap();
    let control = h.control.clone();
    let asking = tokio::spawn(async move {
        let mut asked = Vec::new();
        while asked.len() < COMMANDS {
            let stream = control.start_stream("r1").await.unwrap().id;
            asked.push((true, stream.clone()));
            control.stop_room_streams("r1").await.unwrap();
            asked.push((false, stream));
        }
        asked
    });
    // The queue of commands is full when its sender is: nobody has taken one yet.
    while h.commands.len() < h.commands.max_capacity() {
        tokio::task::yield_now().await;
    }
    // More than their queue holds: this ends only where they are taken.
    for _ in 0..50 {
        h.events.send(Event::StreamEnded { stream: "unknown".into() }).await.unwrap();
    }
    let mut commanded = Vec::new();
    while commanded.len() < COMMANDS {
        commanded.push(match h.commands.recv().await.unwrap() {
            Command::StartStream { stream, .. } => (true, stream),
            Command::StopStream { stream } => (false, stream),
            other => panic!("{other:?} was not asked for"),
        });
    }
    assert_eq!(commanded, asking.await.unwrap());
}
