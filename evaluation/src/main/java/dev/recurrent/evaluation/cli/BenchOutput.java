package dev.recurrent.evaluation.cli;

import ai.djl.Device;
import com.google.gson.GsonBuilder;
import dev.recurrent.evaluation.bench.Bench;
import dev.recurrent.evaluation.bench.Measurement;
import dev.recurrent.evaluation.bench.Ratio;
import dev.recurrent.evaluation.report.Numbers;
import dev.recurrent.evaluation.report.Table;
import java.util.Locale;
import java.util.Map;

/**
 * Measurements as they are printed.
 *
 * @param bench what measured
 * @param device on which it did
 */
record BenchOutput(Bench bench, Device device) {

    /** Returns a JSON document. */
    String toJson() {
        return new GsonBuilder()
                        .setPrettyPrinting()
                        .disableHtmlEscaping()
                        .create()
                        .toJson(
                                Map.of(
                                        "device", device.toString(),
                                        "measurements", bench.measurements(),
                                        "ratios", bench.ratios()))
                + "\n";
    }

    /** Returns a table of times, and one of ratios where there are any. */
    String toTable() {
        Table times =
                new Table()
                        .column("Work", Table.Align.LEFT)
                        .column("Form", Table.Align.LEFT)
                        .column("Time", Table.Align.RIGHT)
                        .column("Tokens/s", Table.Align.RIGHT)
                        .column("Memory", Table.Align.RIGHT)
                        .column("Runs", Table.Align.RIGHT);
        for (Measurement measurement : bench.measurements()) {
            times.row(
                    measurement.work(),
                    measurement.form(),
                    Numbers.duration(measurement.seconds()),
                    Numbers.rate(measurement.tokensPerSecond()),
                    "+" + Numbers.bytes(measurement.extraBytes()),
                    Integer.toString(measurement.runs()));
        }
        if (bench.ratios().isEmpty()) {
            return times.toString();
        }
        Table ratios =
                new Table().column("Compared", Table.Align.LEFT).column("Ratio", Table.Align.RIGHT);
        for (Ratio ratio : bench.ratios()) {
            ratios.row(ratio.name(), String.format(Locale.ROOT, "%.2f", ratio.value()));
        }
        return times + "\n" + ratios;
    }
}
