//! Where convolutions run: a GPU, or the CPU. Which of the two it is, and why, can always be asked.

use std::fmt;
use std::sync::Arc;

use crate::caps::{Caps, threads};
#[cfg(feature = "gpu")]
use crate::error::Result;
#[cfg(feature = "gpu")]
use crate::gpu::{Context, ContextOptions};
use crate::plan::Wisdom;

/// The device in use is not the one that was requested.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fallback {
    /// What was requested.
    pub wished: String,
    /// What is used.
    pub used: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} instead of {}: {}", self.used, self.wished, self.why)
    }
}

/// A place to run plans. Clones are the same device.
#[derive(Debug, Clone)]
pub struct Device {
    caps: Caps,
    #[cfg(feature = "gpu")]
    context: Option<Context>,
    fallback: Option<Fallback>,
    wisdom: Arc<Wisdom>,
}

impl Device {
    /// The best hardware GPU, or the CPU if there is none. A software adapter does not count: it would run on the
    /// CPU, where this crate's own kernels are faster. Which device it is, and why, is in [`Self::caps`] and
    /// [`Self::fallback`].
    pub async fn best() -> Self {
        #[cfg(feature = "gpu")]
        return match Self::gpu(&ContextOptions::default()).await {
            Ok(device) => device,
            Err(error) => Self::cpu_instead(&error.to_string()),
        };
        #[cfg(not(feature = "gpu"))]
        Self::cpu_instead("this build has no feature gpu")
    }

    fn cpu_instead(why: &str) -> Self {
        let cpu = Self::cpu();
        let why = cpu.fallback.as_ref().map_or_else(|| why.to_owned(), |threads| format!("{why}; {threads}"));
        let fallback = Fallback { wished: "a hardware GPU".to_owned(), used: cpu.caps.to_string(), why };
        Self { fallback: Some(fallback), ..cpu }
    }

    /// The CPU, with the threads of the pool that the caller is in, see [`Caps::cpu`]. If rayon's global pool cannot start its
    /// threads, everything runs on the caller's thread, and [`Self::fallback`] and each
    /// [`Account`](crate::Account) say so.
    pub fn cpu() -> Self {
        let fallback = threads::count().err().map(|why| Fallback {
            wished: "a thread for each core".to_owned(),
            used: "one thread".to_owned(),
            why,
        });
        Self {
            caps: Caps::cpu(),
            #[cfg(feature = "gpu")]
            context: None,
            fallback,
            wisdom: Wisdom::shipped(),
        }
    }

    /// A GPU of our own.
    ///
    /// # Errors
    /// [`crate::error::DeviceError`] if there is no such adapter, or it gives no device.
    #[cfg(feature = "gpu")]
    pub async fn gpu(options: &ContextOptions) -> Result<Self> {
        Ok(Context::new(options).await?.into())
    }

    /// What it is and offers.
    pub const fn caps(&self) -> &Caps {
        &self.caps
    }

    /// The GPU's context, if it is one.
    #[cfg(feature = "gpu")]
    pub const fn context(&self) -> Option<&Context> {
        self.context.as_ref()
    }

    /// Sets the wisdom for plans on this device, instead of [`Wisdom::shipped`]. With empty wisdom, all plans are by
    /// estimate.
    #[must_use]
    pub fn with_wisdom(mut self, wisdom: impl Into<Arc<Wisdom>>) -> Self {
        self.wisdom = wisdom.into();
        self
    }

    /// The wisdom that plans for this device use.
    pub fn wisdom(&self) -> &Wisdom {
        &self.wisdom
    }

    /// Why it is not the device that was requested, if it is another one.
    pub const fn fallback(&self) -> Option<&Fallback> {
        self.fallback.as_ref()
    }
}

#[cfg(feature = "gpu")]
impl From<Context> for Device {
    fn from(context: Context) -> Self {
        Self { caps: context.caps().clone(), context: Some(context), fallback: None, wisdom: Wisdom::shipped() }
    }
}
