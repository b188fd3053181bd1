//! The 34 regions at the level of a province, with their division codes (GB/T 2260) and names.
//!
//! What a demonstration needs to make a whole country, and what `authority issuer add` proposes as names.

use trustlist::{lists::Names, region::Region};

/// One region of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Province {
    code: &'static str,
    /// Chinese name, as on a map.
    pub zh: &'static str,
    /// English name.
    pub en: &'static str,
}

impl Province {
    /// The division code.
    #[must_use]
    pub fn region(&self) -> Region {
        self.code.parse().expect("the table holds division codes only, and a test reads them all")
    }

    /// Both names.
    #[must_use]
    pub fn names(&self) -> Names {
        Names { zh: self.zh.to_owned(), en: self.en.to_owned() }
    }
}

/// Finds a region of the table.
#[must_use]
pub fn find(region: Region) -> Option<&'static Province> {
    PROVINCES.iter().find(|province| province.code == region.as_str())
}

/// All 34, in the order of their codes.
pub const PROVINCES: [Province; 34] = [
    province("110000", "北京市", "Beijing"),
    province("120000", "天津市", "Tianjin"),
    province("130000", "河北省", "Hebei"),
    province("140000", "山西省", "Shanxi"),
    province("150000", "内蒙古自治区", "Inner Mongolia"),
    province("210000", "辽宁省", "Liaoning"),
    province("220000", "吉林省", "Jilin"),
    province("230000", "黑龙江省", "Heilongjiang"),
    province("310000", "上海市", "Shanghai"),
    province("320000", "江苏省", "Jiangsu"),
    province("330000", "浙江省", "Zhejiang"),
    province("340000", "安徽省", "Anhui"),
    province("350000", "福建省", "Fujian"),
    province("360000", "江西省", "Jiangxi"),
    province("370000", "山东省", "Shandong"),
    province("410000", "河南省", "Henan"),
    province("420000", "湖北省", "Hubei"),
    province("430000", "湖南省", "Hunan"),
    province("440000", "广东省", "Guangdong"),
    province("450000", "广西壮族自治区", "Guangxi"),
    province("460000", "海南省", "Hainan"),
    province("500000", "重庆市", "Chongqing"),
    province("510000", "四川省", "Sichuan"),
    province("520000", "贵州省", "Guizhou"),
    province("530000", "云南省", "Yunnan"),
    province("540000", "西藏自治区", "Tibet"),
    province("610000", "陕西省", "Shaanxi"),
    province("620000", "甘肃省", "Gansu"),
    province("630000", "青海省", "Qinghai"),
    province("640000", "宁夏回族自治区", "Ningxia"),
    province("650000", "新疆维吾尔自治区", "Xinjiang"),
    province("710000", "台湾省", "Taiwan"),
    province("810000", "香港特别行政区", "Hong Kong"),
    province("820000", "澳门特别行政区", "Macao"),
];

const fn province(code: &'static str, zh: &'static str, en: &'static str) -> Province {
    Province { code, zh, en }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_of_the_table_is_a_province_and_none_is_listed_twice() {
        let mut codes: Vec<Region> = PROVINCES.iter().map(Province::region).collect();
        assert!(codes.iter().all(|code| code.level() == 1));
        codes.dedup();
        assert_eq!(codes.len(), 34);
        assert!(codes.is_sorted());
    }

    #[test]
    fn a_region_is_found_by_its_code() {
        let guangdong = find("440000".parse().expect("a code")).expect("in the table");
        assert_eq!((guangdong.zh, guangdong.en), ("广东省", "Guangdong"));
        assert_eq!(find("440100".parse().expect("a code")), None);
    }
}
