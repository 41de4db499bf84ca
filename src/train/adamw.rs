//! AdamW (Loshchilov & Hutter 2019, <https://arxiv.org/abs/1711.05101>) whose state can be saved: training that was cut off
//! goes on exactly as if it had not been.

use std::collections::HashMap;

use candle_core::{Tensor, Var};

use crate::error::{Error, Result};
use crate::model::weights::Variables;

/// One tensor that trains.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// What it is saved as.
    pub name: String,
    /// The tensor, 32 bits.
    pub variable: Var,
    /// How far it moves in a step, about; above 0.
    pub learning_rate: f64,
}

impl Parameter {
    /// One for each of `variables`, whose names get `prefix` in front.
    pub fn of_variables(prefix: &str, variables: &Variables, learning_rate: f64) -> Vec<Self> {
        let parameter = |(name, variable): (&String, &Var)| Self {
            name: format!("{prefix}{name}"),
            variable: variable.clone(),
            learning_rate,
        };
        variables.iter().map(parameter).collect()
    }
}

/// What is the same for all parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWSettings {
    /// Share of the mean gradient that a step keeps, 0 to 1. Default: 0.9.
    pub beta1: f64,
    /// Share of the mean squared gradient that a step keeps, 0 to 1. Default: 0.999.
    pub beta2: f64,
    /// Added to the root of the mean squared gradient. Default: 10⁻⁸.
    pub epsilon: f64,
    /// Share of a parameter, times its learning rate, that every step takes from it. Default: 0.01.
    pub weight_decay: f64,
}

impl Default for AdamWSettings {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }
}

/// The optimiser with all that it remembers.
#[derive(Debug)]
pub struct AdamW {
    settings: AdamWSettings,
    parameters: Vec<Parameter>,
    /// Mean gradient and mean squared gradient of each parameter.
    moments: Vec<[Tensor; 2]>,
    steps: u64,
}

/// What the moments are saved as, behind a parameter's name.
const MOMENTS: [&str; 2] = ["mean", "mean_square"];

impl AdamW {
    /// Nothing is remembered yet.
    pub fn new(parameters: Vec<Parameter>, settings: AdamWSettings) -> Result<Self> {
        let zeros = |parameter: &Parameter| parameter.variable.zeros_like();
        let moments = parameters.iter().map(|parameter| Ok([zeros(parameter)?, zeros(parameter)?]));
        Ok(Self { moments: moments.collect::<Result<_>>()?, settings, parameters, steps: 0 })
    }

    /// What trains.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Steps that were made.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Moves every parameter by its gradient; learning rates are multiplied by `rate`.
    pub fn step(&mut self, gradients: &[Tensor], rate: f64) -> Result<()> {
        let AdamWSettings { beta1, beta2, epsilon, weight_decay } = self.settings;
        self.steps += 1;
        let power = self.steps as f64;
        let (correction1, correction2) = (1.0 - beta1.powf(power), 1.0 - beta2.powf(power));
        for ((parameter, moments), gradient) in self.parameters.iter().zip(&mut self.moments).zip(gradients) {
            let learning_rate = parameter.learning_rate * rate;
            let [mean, mean_square] = moments;
            *mean = ((&*mean * beta1)? + (gradient * (1.0 - beta1))?)?;
            *mean_square = ((&*mean_square * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
            let root = ((mean_square.sqrt()? / correction2.sqrt())? + epsilon)?;
            let change = ((&*mean / root)? * (learning_rate / correction1))?;
            let kept = (parameter.variable.as_detached_tensor() * (1.0 - learning_rate * weight_decay))?;
            parameter.variable.set(&(kept - change)?)?;
        }
        Ok(())
    }

    /// Parameters and moments by name: what [`Self::restore`] takes, besides the number of steps.
    pub fn state(&self) -> HashMap<String, Tensor> {
        let mut state = HashMap::new();
        for (parameter, moments) in self.parameters.iter().zip(&self.moments) {
            for (moment, suffix) in moments.iter().zip(MOMENTS) {
                state.insert(format!("{}.{suffix}", parameter.name), moment.clone());
            }
            state.insert(parameter.name.clone(), parameter.variable.as_detached_tensor());
        }
        state
    }

    /// Goes on from a state of [`Self::state`], which `steps` had led to.
    ///
    /// # Errors
    /// A state that lacks a tensor or has it in another shape.
    pub fn restore(&mut self, state: &HashMap<String, Tensor>, steps: u64) -> Result<()> {
        let find = |name: &str, like: &Tensor| match state.get(name) {
            Some(tensor) if tensor.shape() == like.shape() => Ok(tensor.to_device(like.device())?),
            Some(tensor) => {
                let problem = format!("has the shape {:?}, {:?} was expected", tensor.dims(), like.dims());
                Err(Error::setting(name, problem))
            }
            None => Err(Error::setting(name, "is not in the saved state")),
        };
        for (parameter, moments) in self.parameters.iter().zip(&mut self.moments) {
            parameter.variable.set(&find(&parameter.name, &parameter.variable)?)?;
            for (moment, suffix) in moments.iter_mut().zip(MOMENTS) {
                *moment = find(&format!("{}.{suffix}", parameter.name), moment)?;
            }
        }
        self.steps = steps;
        Ok(())
    }
}
