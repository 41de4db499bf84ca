//! Options that choose where and with how many threads the networks run.

use candle_core::{DType, Device};
use clap::{Args, ValueEnum};
use dreamtuner::model::DeviceSettings;
use dreamtuner::threads::set_threads;
use dreamtuner::{Error, Result};
use serde::Serialize;

/// Device, type and threads.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeviceArgs {
    /// Where the networks run: auto, cpu, cuda, cuda:1, metal
    #[arg(long, default_value = "auto", value_name = "DEVICE", help_heading = "Machine")]
    device: String,
    /// Type of the weights of U-Net and ControlNets, and on a GPU of all their numbers; the CPU computes in 32 bits
    #[arg(long, value_enum, default_value_t, value_name = "TYPE", help_heading = "Machine")]
    dtype: DTypeOption,
    /// Half the memory: weights in 16 bits, encoders only while they are needed, features of the references in a temporary file
    #[arg(long, help_heading = "Machine")]
    pub low_memory: bool,
    /// Threads on the CPU; one for each core where absent
    #[arg(long, value_name = "NUMBER", help_heading = "Machine")]
    threads: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum DTypeOption {
    /// f16 on a GPU and with --low-memory, f32 on the CPU
    #[default]
    Auto,
    /// 32 bits
    F32,
    /// 16 bits
    F16,
    /// 16 bits with the range of 32
    Bf16,
}

impl DeviceArgs {
    /// The device, and what is kept on it, with the thread pool set up.
    pub fn choose(&self) -> Result<DeviceSettings> {
        set_threads(self.threads)?;
        let device = self.device()?;
        let dtype = match self.dtype {
            DTypeOption::Auto if device.is_cpu() && !self.low_memory => DType::F32,
            DTypeOption::Auto | DTypeOption::F16 => DType::F16,
            DTypeOption::F32 => DType::F32,
            DTypeOption::Bf16 => DType::BF16,
        };
        Ok(DeviceSettings { device, dtype, low_memory: self.low_memory })
    }

    fn device(&self) -> Result<Device> {
        let unavailable =
            |error: candle_core::Error| Error::setting("device", format!("{}: {error}", self.device));
        let (name, index) = self.device.split_once(':').unwrap_or((&self.device, "0"));
        let index: usize = index
            .parse()
            .map_err(|_| Error::setting("device", format!("{}: no such number", self.device)))?;
        match name {
            "auto" if candle_core::utils::cuda_is_available() => Device::new_cuda(0).map_err(unavailable),
            "auto" if candle_core::utils::metal_is_available() => Device::new_metal(0).map_err(unavailable),
            "auto" | "cpu" => Ok(Device::Cpu),
            "cuda" => Device::new_cuda(index).map_err(unavailable),
            "metal" => Device::new_metal(index).map_err(unavailable),
            other => Err(Error::setting(
                "device",
                format!("{other}; auto, cpu, cuda, cuda:N and metal are allowed"),
            )),
        }
    }
}
