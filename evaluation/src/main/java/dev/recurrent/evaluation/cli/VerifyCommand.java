package dev.recurrent.evaluation.cli;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.report.Numbers;
import dev.recurrent.evaluation.report.Table;
import dev.recurrent.evaluation.verify.Check;
import dev.recurrent.evaluation.verify.Expected;
import dev.recurrent.evaluation.verify.Verification;
import dev.recurrent.zoo.Pretrained;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Compares models with what another implementation computed. */
@Command(
        name = "verify",
        header = "Compares models with what another implementation computed.",
        description = {
            "Compares models with what another implementation computed from the same weights:"
                    + " input_ids [B, T], logits [B, T, vocabulary] of one full forward pass in"
                    + " fp32, and greedy [1, n], the greedy continuation of row 0.",
            "Prints max|error| / max|expected| of the logits by full forward, by chunked prefill"
                    + " in uneven pieces and by single steps, and the part of greedy tokens that"
                    + " differ. Exits with 1 where one is beyond the tolerance."
        })
final class VerifyCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;

    @Mixin private DeviceOption device;

    @Parameters(arity = "1..*", paramLabel = "DIR", description = "Folders in Hugging Face form.")
    private List<Path> folders;

    @Option(
            names = "--expected",
            paramLabel = "FILE",
            description = "What is right (default: " + Expected.FILE + " in each folder).")
    private Path expected;

    @Option(
            names = "--tolerance",
            paramLabel = "X",
            defaultValue = "1e-4",
            description = "The largest error that passes (default: ${DEFAULT-VALUE}).")
    private double tolerance;

    @Override
    public Integer call() throws Exception {
        if (!(tolerance >= 0)) {
            throw new InvalidInputException("--tolerance must be >= 0, not " + tolerance);
        }
        for (Path folder : folders) {
            requireFiles(folder);
        }
        Table table =
                new Table()
                        .column("Model", Table.Align.LEFT)
                        .column("Check", Table.Align.LEFT)
                        .column("Error", Table.Align.RIGHT)
                        .column("Result", Table.Align.LEFT);
        boolean passed = true;
        for (Path folder : folders) {
            for (Check check : verify(folder)) {
                boolean passes = check.passes(tolerance);
                passed &= passes;
                table.row(
                        folder.toString(),
                        check.name(),
                        Numbers.scientific(check.error()),
                        passes ? "ok" : "beyond " + Numbers.scientific(tolerance));
            }
        }
        spec.commandLine().getOut().print(table);
        return passed ? 0 : 1;
    }

    private void requireFiles(Path folder) {
        ModelName.folder(folder);
        if (!Files.isRegularFile(expectedOf(folder))) {
            throw new InvalidInputException(
                    "There is no file " + expectedOf(folder) + "; name it by --expected");
        }
    }

    private Path expectedOf(Path folder) {
        return expected == null ? folder.resolve(Expected.FILE) : expected;
    }

    private List<Check> verify(Path folder) throws Exception {
        try (Pretrained model = ModelName.folder(folder).open(device)) {
            Expected right = Expected.read(model.manager(), expectedOf(folder));
            return new Verification(model.model(), model.manager(), right).run();
        }
    }
}
