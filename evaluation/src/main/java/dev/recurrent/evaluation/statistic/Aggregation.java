package dev.recurrent.evaluation.statistic;

/** How observations (x, y) become a number. */
public enum Aggregation {

    /** Σx / n: each observation counts once. Its error is s / √n, s with n − 1 below. */
    MEAN {
        @Override
        double of(double x, double y) {
            return x / y;
        }
    },

    /** Σx / Σy: an observation counts as much as its y. Its error is bootstrapped. */
    RATIO {
        @Override
        double of(double x, double y) {
            return x / y;
        }
    },

    /** exp(Σx / Σy), x in nats. Its error is bootstrapped. */
    PERPLEXITY {
        @Override
        double of(double x, double y) {
            return Math.exp(x / y);
        }
    },

    /** Σx / Σy / ln 2: nats to bits. Its error is bootstrapped. */
    BITS {
        @Override
        double of(double x, double y) {
            return x / y / Math.log(2);
        }
    };

    abstract double of(double x, double y);
}
