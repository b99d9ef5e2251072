//! What commands ask of a supervisor.

use super::event_loop::Supervisor;
use super::frame::Frame;
use crate::error::chain;
use crate::{Instances, events};

impl Supervisor<'_> {
    /// Carries a request out; the answer, if it gets one.
    pub(super) fn serve(&mut self, at: usize, frame: Frame) -> Option<Frame> {
        match frame {
            Frame::Signal(signal) => Some(self.signal(i32::from(signal))),
            Frame::Resize(columns, rows) => {
                self.output.iter().for_each(|output| output.resize(columns, rows));
                self.program.iter_mut().for_each(|program| program.running.resize(columns, rows));
                None
            }
            Frame::Stdin(data) => {
                self.output.iter_mut().for_each(|output| output.input(&data));
                None
            }
            Frame::StdinEnd => {
                self.output.iter_mut().for_each(super::output::Output::input_end);
                None
            }
            Frame::Attach => {
                self.peers[at].attached = true;
                Some(Frame::Done)
            }
            Frame::Wait => {
                self.peers[at].waiting = true;
                None
            }
            Frame::Stopping => {
                self.stopping = true;
                Some(Frame::Done)
            }
            Frame::Pause(frozen) => Some(self.pause(frozen)),
            Frame::Reload => Some(self.reload()),
            _ => Some(Frame::Refused("not a request".to_owned())),
        }
    }

    fn signal(&mut self, signal: i32) -> Frame {
        // Docker's rule: who sends one of these wants the instance to end, whatever its restart policy says.
        self.stopping |= signal == libc::SIGKILL || signal == self.instance.plan.stop_signal;
        match self.program.as_mut().map(|program| program.running.signal(signal)) {
            Some(Ok(())) => Frame::Done,
            Some(Err(error)) => Frame::Refused(chain(&error)),
            // It waits to be started again, which a signal that ends it has prevented already.
            None if self.stopping => Frame::Done,
            None => Frame::Refused("the program is just being started again; try once more".to_owned()),
        }
    }

    fn pause(&mut self, frozen: bool) -> Frame {
        let wrong = |text: &str| Frame::Refused(format!("instance '{}' {text}", self.instance.plan.name));
        if self.program.is_none() {
            return wrong("is just being started again; try once more");
        }
        if self.instance.record.paused == frozen {
            return wrong(if frozen { "is paused already" } else { "is not paused" });
        }
        if let Err(error) = crate::groups::freeze(&self.instance.plan, frozen) {
            return Frame::Refused(chain(&error));
        }
        self.instance.record.paused = frozen;
        if let Err(error) = self.instance.save() {
            return Frame::Refused(chain(&error));
        }
        events::write(self.paths, &self.instance.plan, if frozen { "pause" } else { "unpause" }, &[]);
        Frame::Done
    }

    /// A command has changed the plan on disk.
    fn reload(&mut self) -> Frame {
        match Instances::open(self.paths).load(&self.instance.plan.id) {
            Ok(now) => {
                self.instance.plan = now.plan;
                Frame::Done
            }
            Err(error) => Frame::Refused(chain(&error)),
        }
    }
}
