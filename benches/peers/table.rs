//! Samples, and the Markdown they are printed as.

/// Numbers of one kind, in ascending order.
pub struct Samples(Vec<f64>);

impl From<Vec<f64>> for Samples {
    fn from(mut values: Vec<f64>) -> Self {
        assert!(!values.is_empty(), "nothing was measured");
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl Samples {
    pub fn median(&self) -> f64 {
        let (low, high) = ((self.0.len() - 1) / 2, self.0.len() / 2);
        f64::midpoint(self.0[low], self.0[high])
    }

    pub fn min(&self) -> f64 {
        self.0[0]
    }

    pub fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    pub fn p10(&self) -> f64 {
        self.0[(self.0.len() - 1) / 10]
    }

    pub fn p90(&self) -> f64 {
        self.0[(self.0.len() - 1) * 9 / 10]
    }

    pub fn p95(&self) -> f64 {
        self.0[(self.0.len() - 1) * 19 / 20]
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// Prints a section: its title, its table, and the target ours is held to.
pub fn print(title: &str, header: &[&str], rows: &[Vec<String>], target: &str) {
    println!("## {title}\n");
    println!("| {} |", header.join(" | "));
    println!("|---|{}", "---:|".repeat(header.len() - 1));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
    println!("\nTarget for ours: {target}.\n");
}
