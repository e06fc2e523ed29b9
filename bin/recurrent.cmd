@echo off
rem Runs the recurrent command; builds it first where it has not been built or its sources changed.
rem See bin/recurrent for the environment variables.
setlocal
set "HOME_DIR=%~dp0.."
set "JAVA_CMD=java"
if defined JAVA_HOME set "JAVA_CMD=%JAVA_HOME%\bin\java"
set "NATIVES=cpu-natives"
if defined PYTORCH_LIBRARY_PATH set "NATIVES=system-pytorch"
set "CLASSPATH_FILE=%HOME_DIR%\evaluation\target\%NATIVES%.classpath"
set "BUILT=%HOME_DIR%\evaluation\target\%NATIVES%.built"

powershell -NoProfile -Command ^
  "$b = Get-Item -ErrorAction SilentlyContinue '%BUILT%'; if (-not $b) { exit 1 };" ^
  "$s = 'blocks','zoo','training','evaluation' | ForEach-Object { Join-Path '%HOME_DIR%' $_ };" ^
  "$f = $s | ForEach-Object { Get-ChildItem -Recurse (Join-Path $_ 'src') -ErrorAction SilentlyContinue; Get-Item (Join-Path $_ 'pom.xml') };" ^
  "if ($f | Where-Object { $_.LastWriteTime -gt $b.LastWriteTime }) { exit 1 }; exit 0"
if errorlevel 1 (
  echo recurrent: building, the first time fetches the libraries, which can take minutes ... 1>&2
  call mvn -q -B -ntp -f "%HOME_DIR%\pom.xml" -P %NATIVES% -pl evaluation -am ^
    -DskipTests -Dspotless.check.skip=true package dependency:build-classpath ^
    -DincludeScope=runtime -Dmdep.outputFile="target/%NATIVES%.classpath" 1>&2
  if errorlevel 1 exit /b 1
  type nul > "%BUILT%"
)

if not defined OPT_OUT_TRACKING set "OPT_OUT_TRACKING=true"
set /p LIBRARIES=<"%CLASSPATH_FILE%"
"%JAVA_CMD%" -Dorg.slf4j.simpleLogger.defaultLogLevel=warn ^
  -Dorg.slf4j.simpleLogger.log.ai.djl.util.cuda.CudaUtils=error %RECURRENT_JAVA_OPTS% ^
  -cp "%HOME_DIR%\evaluation\target\*;%LIBRARIES%" dev.recurrent.evaluation.cli.Main %*
exit /b %ERRORLEVEL%
