package dev.recurrent.tests.cli;

import dev.recurrent.evaluation.cli.Main;
import java.io.PrintWriter;
import java.io.StringWriter;

/**
 * One run of the command inside this JVM.
 *
 * @param code its exit code
 * @param out what it wrote to standard output
 * @param err what it wrote to standard error
 */
record CommandLineRun(int code, String out, String err) {

    static CommandLineRun of(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = Main.run(new PrintWriter(out, true), new PrintWriter(err, true), arguments);
        return new CommandLineRun(code, out.toString(), err.toString());
    }
}
