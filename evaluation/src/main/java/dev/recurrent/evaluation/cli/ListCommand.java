package dev.recurrent.evaluation.cli;

import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.report.Numbers;
import dev.recurrent.evaluation.report.Table;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Lists the zoo. */
@Command(
        name = "list",
        header = "Lists the models of the zoo.",
        description = {
            "Lists the entries of the zoo and their sizes, with the number of parameters and the"
                    + " bytes of one sequence's fp32 state after 1,000 and after 100,000 tokens.",
            "An entry's name alone means its tiny size; hawk:1.3b means another."
        })
final class ListCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        Table table =
                new Table()
                        .column("Entry", Table.Align.LEFT)
                        .column("Size", Table.Align.LEFT)
                        .column("Layers", Table.Align.RIGHT)
                        .column("Width", Table.Align.RIGHT)
                        .column("Parameters", Table.Align.RIGHT)
                        .column("State at 1K", Table.Align.RIGHT)
                        .column("State at 100K", Table.Align.RIGHT);
        for (Preset preset : Presets.all()) {
            // Blocks know their shapes; nothing is allocated.
            LanguageModel model = new LanguageModel(preset.model());
            table.row(
                    preset.artifactId(),
                    preset.size(),
                    Integer.toString(preset.model().layers().size()),
                    Long.toString(preset.model().width()),
                    Numbers.count(model.parameterCount()),
                    Numbers.bytes(model.stateBytes(1_000)),
                    Numbers.bytes(model.stateBytes(100_000)));
        }
        spec.commandLine().getOut().print(table);
        return 0;
    }
}
