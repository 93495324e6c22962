-- What wixl has no words for, one statement a line. `build` fills in what stands between the at signs. The numbers are
-- those of Microsoft's reference of the tables.
-- What this version replaces: those before it, and those with the same three numbers, as a pre-release and its release
-- have. 768 = 256 + 512: both ends included.
INSERT INTO `Upgrade` (`UpgradeCode`,`VersionMin`,`VersionMax`,`Attributes`,`ActionProperty`) VALUES ('{5C3B2D5E-7C4D-4B0A-9E0B-2B1F6D1B7A10}','0.0.0','@NUMBER@',768,'OLDER')
-- Properties that an installation without an administrator's prompt may hand to its elevated half.
UPDATE `Property` SET `Value`='NEWER;OLDER;SHARING;CONTROL_URL;AUTOSTART;KEEP_STATE' WHERE `Property`='SecureCustomProperties'
-- What was said to an earlier installation holds, unless this one says otherwise. 51: sets a property.
INSERT INTO `CustomAction` (`Action`,`Type`,`Source`,`Target`) VALUES ('KeepSharing',51,'SHARING','[SAVED_SHARING]')
INSERT INTO `CustomAction` (`Action`,`Type`,`Source`,`Target`) VALUES ('KeepControlURL',51,'CONTROL_URL','[SAVED_CONTROL_URL]')
INSERT INTO `CustomAction` (`Action`,`Type`,`Source`,`Target`) VALUES ('KeepAutostart',51,'AUTOSTART','[SAVED_AUTOSTART]')
INSERT INTO `CustomAction` (`Action`,`Type`,`Source`,`Target`) VALUES ('KeepKeepState',51,'KEEP_STATE','[SAVED_KEEP_STATE]')
INSERT INTO `CustomAction` (`Action`,`Type`,`Source`,`Target`) VALUES ('DefaultAutostart',51,'AUTOSTART','1')
INSERT INTO `CustomAction` (`Action`,`Type`,`Source`,`Target`) VALUES ('DefaultKeepState',51,'KEEP_STATE','0')
INSERT INTO `InstallExecuteSequence` (`Action`,`Condition`,`Sequence`) VALUES ('KeepSharing','SAVED_SHARING AND NOT SHARING',51)
INSERT INTO `InstallExecuteSequence` (`Action`,`Condition`,`Sequence`) VALUES ('KeepControlURL','SAVED_CONTROL_URL AND NOT CONTROL_URL',52)
INSERT INTO `InstallExecuteSequence` (`Action`,`Condition`,`Sequence`) VALUES ('KeepAutostart','SAVED_AUTOSTART AND NOT AUTOSTART',53)
INSERT INTO `InstallExecuteSequence` (`Action`,`Condition`,`Sequence`) VALUES ('KeepKeepState','SAVED_KEEP_STATE AND NOT KEEP_STATE',54)
INSERT INTO `InstallExecuteSequence` (`Action`,`Condition`,`Sequence`) VALUES ('DefaultAutostart','NOT AUTOSTART',55)
INSERT INTO `InstallExecuteSequence` (`Action`,`Condition`,`Sequence`) VALUES ('DefaultKeepState','NOT KEEP_STATE',56)
UPDATE `Component` SET `Condition`='SHARING' WHERE `Component`='Sharing'
UPDATE `Component` SET `Condition`='CONTROL_URL' WHERE `Component`='ControlURL'
UPDATE `Component` SET `Condition`='AUTOSTART="1"' WHERE `Component`='TrayAtLogin'
-- The service's own account may not say that it is to be restarted after a failure, so the installer has it said between
-- InstallServices and StartServices. 3154 = 18 (a program that was installed) + 64 (its failure is none of ours) + 1024 +
-- 2048 (later, as the system).
INSERT INTO `CustomAction` (`Action`,`Type`,`Source`,`Target`) VALUES ('Recovery',3154,'Service.exe','service install')
INSERT INTO `InstallExecuteSequence` (`Action`,`Condition`,`Sequence`) VALUES ('Recovery','NOT REMOVE="ALL"',5850)
-- The state goes with the product, but not with a version that another replaces. 3170 = 34 (a command line, in a folder) +
-- 64 + 1024 + 2048.
INSERT INTO `CustomAction` (`Action`,`Type`,`Source`,`Target`) VALUES ('Erase',3170,'CommonAppDataFolder','"[System64Folder]cmd.exe" /c rd /s /q "[CommonAppDataFolder]Tributary"')
INSERT INTO `InstallExecuteSequence` (`Action`,`Condition`,`Sequence`) VALUES ('Erase','REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE AND KEEP_STATE="0"',3550)
