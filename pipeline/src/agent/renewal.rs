//! The end of a scene, or of its applications only, so that others can be started in their place. It must not know why.

use host_setup::protocol::{Answer, Op};

use super::{Agent, AgentError, unexpected};

impl Agent {
    /// Ends the scene's applications so that they can be started again; false where they cannot, and nothing was done.
    /// What they said until then is dropped.
    ///
    /// # Errors
    /// As of any request.
    pub fn renew(&mut self) -> Result<bool, AgentError> {
        let renewed = match self.ask("make containers ready again", Op::Renew)? {
            Answer::Renewed { renewed } => renewed,
            other => return Err(unexpected(&other)),
        };
        if renewed {
            self.events.clear();
        }
        Ok(renewed)
    }

    /// Takes the scene down. What its applications did last belongs to no later scene.
    pub fn teardown(&mut self) -> Result<(), AgentError> {
        self.done("take the scene down", Op::Teardown)?;
        self.events.clear();
        Ok(())
    }
}
