//! `risk-areas.json`: areas with a level, from when until when.

use serde::{Deserialize, Serialize};

use super::Names;
use crate::{region::Region, time::Window};

/// The whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskAreas {
    /// Every listed area.
    pub areas: Vec<RiskArea>,
}

/// How risky an area is (中高风险地区).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RiskLevel {
    /// 中风险.
    Medium,
    /// 高风险.
    High,
}

/// One area. It covers what lies inside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskArea {
    /// Division code.
    pub area: Region,
    /// Its level.
    pub level: RiskLevel,
    /// What people call it.
    #[serde(default)]
    pub name: Names,
    /// From when until when. A visit whose last day began before the end goes on counting.
    #[serde(flatten)]
    pub window: Window,
}
