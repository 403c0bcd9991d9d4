//! Whole-number arithmetic for the counts of loops.

/// Maximum length of a sum, in bytes. It also limits the depth of parentheses.
const SUM_LIMIT: usize = 200;

/// Computes `+ - * / ^` and parentheses. `None` if the text is no such sum or does not fit.
pub(super) fn evaluate(text: &str) -> Option<i64> {
    if text.len() > SUM_LIMIT {
        return None;
    }
    let mut sum = Sum { rest: text };
    let value = sum.terms()?;
    sum.rest.trim().is_empty().then_some(value)
}

struct Sum<'t> {
    rest: &'t str,
}

impl Sum<'_> {
    fn take(&mut self, signs: &[char]) -> Option<char> {
        let rest = self.rest.trim_start();
        let sign = rest.chars().next().filter(|c| signs.contains(c))?;
        self.rest = &rest[sign.len_utf8()..];
        Some(sign)
    }

    fn terms(&mut self) -> Option<i64> {
        let mut value = self.factors()?;
        while let Some(sign) = self.take(&['+', '-']) {
            let next = self.factors()?;
            value = if sign == '+' { value.checked_add(next)? } else { value.checked_sub(next)? };
        }
        Some(value)
    }

    fn factors(&mut self) -> Option<i64> {
        let mut value = self.power()?;
        while let Some(sign) = self.take(&['*', '/']) {
            let next = self.power()?;
            value = if sign == '*' { value.checked_mul(next)? } else { value.checked_div(next)? };
        }
        Some(value)
    }

    fn power(&mut self) -> Option<i64> {
        let base = self.atom()?;
        match self.take(&['^']) {
            Some(_) => base.checked_pow(u32::try_from(self.power()?).ok()?),
            None => Some(base),
        }
    }

    fn atom(&mut self) -> Option<i64> {
        if self.take(&['-']).is_some() {
            return self.atom()?.checked_neg();
        }
        if self.take(&['(']).is_some() {
            let value = self.terms()?;
            return self.take(&[')']).map(|_| value);
        }
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let value = rest[..end].parse().ok()?;
        self.rest = &rest[end..];
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_computed_or_refused() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(evaluate(text), expected, "{text}");
        check("7", Some(7));
        check("2^10 - 1", Some(1023));
        check("2^3^2", Some(512));
        check("-(1+2)*3/2", Some(-4));
        check("1+", None);
        check("1 2", None);
        check("1/0", None);
        check("9^99", None);
        check("9223372036854775807+1", None);
        check(&"(".repeat(300), None);
        check(&format!("{}1{}", "(".repeat(90), ")".repeat(90)), Some(1));
    }
}
