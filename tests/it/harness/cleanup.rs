//! What a test leaves behind is removed when its thread ends, its runtime before it.
//!
//! Inside the runtime a removal would wait for the runtime itself: PostgreSQL drops a database only when every
//! connection has answered, also one that is still logging in, and a Kafka group can be deleted when its members have
//! left.

use std::cell::RefCell;
use std::pin::Pin;

type Removal = Pin<Box<dyn Future<Output = ()> + Send>>;

struct LeftBehind(RefCell<Vec<Removal>>);

thread_local! {
    static LEFT_BEHIND: LeftBehind = const { LeftBehind(RefCell::new(Vec::new())) };
}

/// Removes something when this thread has ended.
pub(crate) fn at_the_end(removal: impl Future<Output = ()> + Send + 'static) {
    LEFT_BEHIND.with(|left| left.0.borrow_mut().push(Box::pin(removal)));
}

impl Drop for LeftBehind {
    fn drop(&mut self) {
        let removals = self.0.take();
        // A thread that is ending has no runtime and can make none.
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be made");
            for removal in removals {
                runtime.block_on(removal);
            }
        });
        // A panic here would abort the whole run and hide what the test itself has to say.
        let _ = removing.join();
    }
}
