//! Regions with their names: the 34 at the level of a province (GB/T 2260), and countries whose certificates are known to be about.
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

/// The names of a province or a country, where they are in the tables.
#[must_use]
pub fn names(region: Region) -> Option<Names> {
    let country = || COUNTRIES.iter().find(|(code, ..)| *code == region.as_str());
    let country = || country().map(|(_, zh, en)| Names { zh: (*zh).to_owned(), en: (*en).to_owned() });
    find(region).map(Province::names).or_else(country)
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

/// Countries by the two letters of ISO 3166-1; `XX`, which the standard leaves to its users, for certificates that name none.
const COUNTRIES: &[(&str, &str, &str)] = &[
    ("AD", "安道尔", "Andorra"),
    ("AE", "阿拉伯联合酋长国", "United Arab Emirates"),
    ("AL", "阿尔巴尼亚", "Albania"),
    ("AM", "亚美尼亚", "Armenia"),
    ("AT", "奥地利", "Austria"),
    ("BE", "比利时", "Belgium"),
    ("BG", "保加利亚", "Bulgaria"),
    ("BR", "巴西", "Brazil"),
    ("CH", "瑞士", "Switzerland"),
    ("CY", "塞浦路斯", "Cyprus"),
    ("CZ", "捷克", "Czechia"),
    ("DE", "德国", "Germany"),
    ("DK", "丹麦", "Denmark"),
    ("EE", "爱沙尼亚", "Estonia"),
    ("ES", "西班牙", "Spain"),
    ("FI", "芬兰", "Finland"),
    ("FO", "法罗群岛", "Faroe Islands"),
    ("FR", "法国", "France"),
    ("GB", "英国", "United Kingdom"),
    ("GE", "格鲁吉亚", "Georgia"),
    ("GR", "希腊", "Greece"),
    ("HR", "克罗地亚", "Croatia"),
    ("HU", "匈牙利", "Hungary"),
    ("IE", "爱尔兰", "Ireland"),
    ("IL", "以色列", "Israel"),
    ("IS", "冰岛", "Iceland"),
    ("IT", "意大利", "Italy"),
    ("JP", "日本", "Japan"),
    ("KR", "韩国", "South Korea"),
    ("LI", "列支敦士登", "Liechtenstein"),
    ("LT", "立陶宛", "Lithuania"),
    ("LU", "卢森堡", "Luxembourg"),
    ("LV", "拉脱维亚", "Latvia"),
    ("MA", "摩洛哥", "Morocco"),
    ("MC", "摩纳哥", "Monaco"),
    ("MD", "摩尔多瓦", "Moldova"),
    ("ME", "黑山", "Montenegro"),
    ("MK", "北马其顿", "North Macedonia"),
    ("MT", "马耳他", "Malta"),
    ("NL", "荷兰", "Netherlands"),
    ("NO", "挪威", "Norway"),
    ("NZ", "新西兰", "New Zealand"),
    ("PA", "巴拿马", "Panama"),
    ("PL", "波兰", "Poland"),
    ("PT", "葡萄牙", "Portugal"),
    ("RO", "罗马尼亚", "Romania"),
    ("RS", "塞尔维亚", "Serbia"),
    ("SE", "瑞典", "Sweden"),
    ("SG", "新加坡", "Singapore"),
    ("SI", "斯洛文尼亚", "Slovenia"),
    ("SK", "斯洛伐克", "Slovakia"),
    ("SM", "圣马力诺", "San Marino"),
    ("TH", "泰国", "Thailand"),
    ("TN", "突尼斯", "Tunisia"),
    ("TR", "土耳其", "Türkiye"),
    ("UA", "乌克兰", "Ukraine"),
    ("US", "美国", "United States"),
    ("UY", "乌拉圭", "Uruguay"),
    ("VA", "梵蒂冈", "Vatican City"),
    ("VN", "越南", "Vietnam"),
    ("XX", "签发国不明", "Unknown country"),
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
        assert!(COUNTRIES.is_sorted_by_key(|(code, ..)| code));
        assert!(COUNTRIES.iter().all(|(code, ..)| code.parse().is_ok_and(Region::is_country)));
    }

    #[test]
    fn a_region_is_found_by_its_code() {
        let guangdong = find("440000".parse().expect("a code")).expect("in the table");
        assert_eq!((guangdong.zh, guangdong.en), ("广东省", "Guangdong"));
        assert_eq!(find("440100".parse().expect("a code")), None);
        let names = |code: &str| names(code.parse().expect("a code")).map(|names| names.en);
        assert_eq!(names("DE").as_deref(), Some("Germany"));
        assert_eq!(names("440100"), None);
    }
}
