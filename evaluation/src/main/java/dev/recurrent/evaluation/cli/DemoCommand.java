package dev.recurrent.evaluation.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The first thing to run: two models write, then their perplexity is measured. */
@Command(
        name = "demo",
        header = "Lets two models of the zoo write, and measures them on a text.",
        description = {
            "Lets two small models of the zoo continue a prompt, and measures their perplexity on a"
                    + " short play that comes with this command. It prints the commands it runs."
        })
final class DemoCommand implements Callable<Integer> {

    private static final String MODELS = "gated-deltanet,griffin";
    private static final String TEXT = "the-ferryman.txt";
    private static final String PROMPT = "OSRIN:\nThe river ";

    @Spec private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        for (String model : MODELS.split(",")) {
            int code = run("generate", "-m", model, "--max-new-tokens", "64", "--prompt", PROMPT);
            if (code != 0) {
                return code;
            }
        }
        Path folder = Files.createTempDirectory("recurrent");
        Path text = folder.resolve(TEXT);
        try (InputStream in =
                DemoCommand.class.getResourceAsStream("/dev/recurrent/evaluation/text/" + TEXT)) {
            Files.copy(in, text, StandardCopyOption.REPLACE_EXISTING);
            return run("evaluate", "-t", "perplexity", "--text", text.toString(), "-m", MODELS);
        } finally {
            Files.deleteIfExists(text);
            Files.deleteIfExists(folder);
        }
    }

    private int run(String... arguments) {
        PrintWriter out = spec.commandLine().getOut();
        StringBuilder line = new StringBuilder("$ recurrent");
        for (String argument : arguments) {
            boolean plain = argument.matches("[\\w.,:/-]+");
            line.append(' ').append(plain ? argument : "'" + argument + "'");
        }
        out.println(line);
        int code = Main.run(out, spec.commandLine().getErr(), arguments);
        out.println();
        out.flush();
        return code;
    }
}
