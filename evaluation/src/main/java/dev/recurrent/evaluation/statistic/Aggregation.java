package dev.recurrent.evaluation.statistic;

/** How observations (x, y) become a number. */
public enum Aggregation {

    /** Σx / n: each observation counts once. Its error is s / √n, s with n − 1 below. */
    MEAN {
        @Override
        double of(double x, double y) {
            return x / y;
        }

        @Override
        double slope(double ratio) {
            return 1;
        }
    },

    /** Σx / Σy: an observation counts as much as its y. Its error is bootstrapped. */
    RATIO {
        @Override
        double of(double x, double y) {
            return x / y;
        }

        @Override
        double slope(double ratio) {
            return 1;
        }
    },

    /** exp(Σx / Σy), x in nats. Its error is bootstrapped. */
    PERPLEXITY {
        @Override
        double of(double x, double y) {
            return Math.exp(x / y);
        }

        @Override
        double slope(double ratio) {
            return Math.exp(ratio);
        }
    },

    /** Σx / Σy / ln 2: nats to bits. Its error is bootstrapped. */
    BITS {
        @Override
        double of(double x, double y) {
            return x / y / Math.log(2);
        }

        @Override
        double slope(double ratio) {
            return 1 / Math.log(2);
        }
    };

    abstract double of(double x, double y);

    /** The derivative by Σx / Σy, or by the mean. */
    abstract double slope(double ratio);
}
