package dev.recurrent.tests.training.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.recurrent.training.report.ProgressReporter;
import dev.recurrent.training.report.Step;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProgressReporterTest {

    private final List<String> lines = new ArrayList<>();
    private long now = 7_000_000_000L;
    private final ProgressReporter reporter = new ProgressReporter(lines::add, () -> now);

    /** A step that ends {@code seconds} after the one before. */
    private void step(long number, long total, double loss, double seconds) {
        now += Math.round(seconds * 1e9);
        reporter.update(new Step(number, total, loss, 3e-4, 0.8125, 1000, seconds));
    }

    @Test
    void showsTheFirstStepThenOneEveryTwoSecondsAndTheLast() {
        step(1, 10, 5.5, 4);
        step(2, 10, 5.25, 0.5);
        step(3, 10, 5, 1);
        step(4, 10, 4.75, 0.5);
        step(5, 10, 4.5, 0.5);
        step(6, 10, 4.25, 0.5);
        for (int i = 7; i <= 10; i++) {
            step(i, 10, 4, 0.125);
        }
        assertThat(lines)
                .containsExactly(
                        "step 1/10: loss 5.5000, lr 3.00e-04, gradient norm 0.813,"
                                + " 250 tokens/s, 0:36 left",
                        "step 4/10: loss 4.7500, lr 3.00e-04, gradient norm 0.813,"
                                + " 1500 tokens/s, 0:09 left",
                        "step 10/10: loss 4.0000, lr 3.00e-04, gradient norm 0.813,"
                                + " 4000 tokens/s, done in 0:08");
    }

    @Test
    void timeLeftOfAResumedRunIsThatOfItsOwnSteps() {
        step(9_001, 10_000, 2, 10);
        assertThat(lines).singleElement().asString().endsWith("100 tokens/s, 2:46:30 left");
    }

    @Test
    void timeBetweenStepsCountsForTheTimeLeft() {
        step(1, 3, 2, 1);
        now += 60_000_000_000L;
        step(2, 3, 2, 1);
        assertThat(lines.get(1)).endsWith("1000 tokens/s, 0:31 left");
    }

    @Test
    void whatIsNotFiniteOrLargeIsShownAsItIs() {
        now += 1;
        reporter.update(new Step(1, 1, Double.NaN, 0, 123456.789, 8, 0));
        assertThat(lines)
                .containsExactly(
                        "step 1/1: loss NaN, lr 0.00e+00, gradient norm 1.23e+05,"
                                + " – tokens/s, done in 0:00");
    }

    @Test
    void slowRatesHaveADecimal() {
        reporter.update(new Step(1, 2, 1, 1, 1, 5, 2));
        assertThat(lines.get(0)).contains(" 2.5 tokens/s");
    }

    @Test
    void refusesCountsThatCannotBe() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Step(5, 4, 1, 1, 1, 1, 1))
                .withMessageContaining("step 5 of 4");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Step(1, 4, 1, 1, 1, 1, Double.NaN));
    }
}
